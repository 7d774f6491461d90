//! `#[derive(Module)]` of taper: a struct's fields, shown in order under their names.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, LitStr, Result, parse_macro_input};

/// Implements `Module` from a struct's fields. `#[module(skip)]` leaves a field out,
/// `#[module(rename = "…")]` gives it another name in the state dict.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<proc_macro2::TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Module can be derived for structs only"));
    };
    let mut shows = Vec::new();
    match &data.fields {
        Fields::Unit => {}
        Fields::Named(fields) => {
            for field in &fields.named {
                let ident = field.ident.as_ref().expect("a named field");
                let own = ident.to_string();
                shows.extend(show(field, quote!(self.#ident), own.strip_prefix("r#").unwrap_or(&own))?);
            }
        }
        Fields::Unnamed(fields) => {
            for (i, field) in fields.unnamed.iter().enumerate() {
                let index = syn::Index::from(i);
                shows.extend(show(field, quote!(self.#index), &i.to_string())?);
            }
        }
    }
    let (name, text) = (&input.ident, input.ident.to_string());
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let root = crate_root();
    Ok(quote! {
        impl #impl_generics #root::Module for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut dyn #root::Visitor) { #(#shows)* let _ = visitor; }
            fn kind(&self) -> &'static str { #text }
        }
        impl #impl_generics #root::Field for #name #type_generics #where_clause {
            fn show(&self, name: &str, visitor: &mut dyn #root::Visitor) {
                visitor.slot(name, #root::Slot::Module(self));
            }
        }
    })
}

/// The call that shows one field; `None` where it is skipped.
fn show(
    field: &Field,
    access: proc_macro2::TokenStream,
    own_name: &str,
) -> Result<Option<proc_macro2::TokenStream>> {
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
    let root = crate_root();
    Ok(Some(quote! { #root::Field::show(&#access, #name, visitor); }))
}

/// Where the traits live for the code that derives: in `taper-nn` itself, or re-exported by `taper`.
fn crate_root() -> proc_macro2::TokenStream {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    if package.starts_with("taper-") { quote!(::taper_nn) } else { quote!(::taper::nn) }
}
