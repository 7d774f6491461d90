//! `#[derive(Module)]` of taper: a struct's fields, shown in order under their names.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Expr, Field, Fields, LitStr, Path, Result, parse_macro_input, parse_quote,
};

/// Implements `Module`, `Field` and `Display` from a struct's fields. `#[module(skip)]` leaves a field out,
/// `#[module(rename = "…")]` gives it another name in the state dict. On the struct,
/// `#[module(extra_repr = function)]` takes the text of the configuration from `fn(&Self) -> String`,
/// `#[module(no_display)]` leaves `Display` out, and `#[module(crate = path)]` says where the traits are.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream2> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Module can be derived for structs only"));
    };
    let options = StructOptions::read(input)?;
    let root = &options.root;
    let mut shows = Vec::new();
    match &data.fields {
        Fields::Unit => {}
        Fields::Named(fields) => {
            for field in &fields.named {
                let ident = field.ident.as_ref().expect("a named field");
                let own = ident.to_string();
                shows.extend(show(root, field, quote!(self.#ident), own.strip_prefix("r#").unwrap_or(&own))?);
            }
        }
        Fields::Unnamed(fields) => {
            for (i, field) in fields.unnamed.iter().enumerate() {
                let index = syn::Index::from(i);
                shows.extend(show(root, field, quote!(self.#index), &i.to_string())?);
            }
        }
    }
    let (name, text) = (&input.ident, input.ident.to_string());
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#root::Field));
        parameter.bounds.push(parse_quote!(::core::marker::Send));
        parameter.bounds.push(parse_quote!(::core::marker::Sync));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let extra_repr = options.extra_repr.map(|f| {
        quote! { fn extra_repr(&self) -> ::std::string::String { (#f)(self) } }
    });
    let display = options.display.then(|| {
        quote! {
            impl #impl_generics ::core::fmt::Display for #name #type_generics #where_clause {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(&#root::repr(self))
                }
            }
        }
    });
    Ok(quote! {
        impl #impl_generics #root::Module for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut dyn #root::Visitor) { #(#shows)* let _ = visitor; }
            fn kind(&self) -> &'static str { #text }
            #extra_repr
        }
        impl #impl_generics #root::Field for #name #type_generics #where_clause {
            fn show(&self, name: &str, visitor: &mut dyn #root::Visitor) {
                visitor.slot(name, #root::Slot::Module(self));
            }
        }
        #display
    })
}

/// What `#[module(…)]` on the struct says.
struct StructOptions {
    root: TokenStream2,
    extra_repr: Option<Expr>,
    display: bool,
}

impl StructOptions {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut options = StructOptions { root: crate_root(), extra_repr: None, display: true };
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("module")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("extra_repr") {
                    options.extra_repr = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("no_display") {
                    options.display = false;
                } else if meta.path.is_ident("crate") {
                    let path: Path = meta.value()?.parse()?;
                    options.root = quote!(#path);
                } else {
                    return Err(
                        meta.error("expected `extra_repr = function`, `no_display` or `crate = path`")
                    );
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

/// The call that shows one field; `None` where it is skipped.
fn show(
    root: &TokenStream2,
    field: &Field,
    access: TokenStream2,
    own_name: &str,
) -> Result<Option<TokenStream2>> {
    let (mut skip, mut name) = (false, own_name.to_string());
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skip = true;
            } else if meta.path.is_ident("rename") {
                name = meta.value()?.parse::<LitStr>()?.value();
            } else {
                return Err(meta.error("expected `skip` or `rename = \"…\"`"));
            }
            Ok(())
        })?;
    }
    if skip {
        return Ok(None);
    }
    Ok(Some(quote! { #root::Field::show(&#access, #name, visitor); }))
}

/// The workspace's crates that see `taper-nn` itself, not through the façade.
const INSIDE: [&str; 5] = ["taper-nn", "taper-optim", "taper-train", "taper-data", "taper-io"];

/// Where the traits live for the code that derives: in `taper-nn` itself, or re-exported by `taper`.
fn crate_root() -> TokenStream2 {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    if INSIDE.contains(&package.as_str()) { quote!(::taper_nn) } else { quote!(::taper::nn) }
}
