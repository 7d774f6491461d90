//! Modules made of modules.

use crate::module::{Field, Forward, Module, Slot, Visitor};
use crate::recorder::record;
use std::ops::Index;
use taper_tensor::Tensor;

/// Layers one after the other. Made by [`sequential!`](crate::sequential), or by `push` and `add`.
///
/// ```
/// use taper_nn::{Forward, Linear, Module, ReLU, Sequential, sequential};
/// use taper_tensor::Tensor;
/// let net = sequential![Linear::new(4, 8), ReLU::new(), Linear::new(8, 2)];
/// assert_eq!(net.forward(&Tensor::ones([3, 4])).shape(), [3, 2]);
/// assert_eq!(net.state_dict().keys().next().unwrap(), "0.weight");
///
/// let named = Sequential::new().add("hidden", Linear::new(4, 8)).push(ReLU::new());
/// assert_eq!(named.state_dict().keys().next().unwrap(), "hidden.weight");
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(String, Box<dyn Forward>)>,
}

impl Sequential {
    /// Without layers: the identity.
    pub fn new() -> Self {
        Self::default()
    }
    /// With one more layer, named by its position.
    pub fn push(self, layer: impl Forward + 'static) -> Self {
        let name = self.layers.len().to_string();
        self.add(name, layer)
    }
    /// With one more layer of a given name.
    ///
    /// # Panics
    /// Where the name is taken, empty or has a dot.
    #[track_caller]
    pub fn add(mut self, name: impl Into<String>, layer: impl Forward + 'static) -> Self {
        let name = name.into();
        assert!(!name.is_empty() && !name.contains('.'), "Sequential: {name:?} cannot name a layer");
        assert!(self.layers.iter().all(|(n, _)| *n != name), "Sequential: there is a layer {name:?} already");
        self.layers.push((name, Box::new(layer)));
        self
    }
    /// Number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }
    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
    /// The layer at a position.
    pub fn get(&self, i: usize) -> Option<&dyn Forward> {
        self.layers.get(i).map(|(_, layer)| &**layer)
    }
    /// The layers in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Forward> {
        self.layers.iter().map(|(_, layer)| &**layer)
    }
}

impl Index<usize> for Sequential {
    type Output = dyn Forward;
    #[track_caller]
    fn index(&self, i: usize) -> &(dyn Forward + 'static) {
        &*self.layers[i].1
    }
}

impl Module for Sequential {
    fn visit(&self, visitor: &mut dyn Visitor) {
        for (name, layer) in &self.layers {
            visitor.slot(name, Slot::Module(&**layer));
        }
    }
    fn kind(&self) -> &'static str {
        "Sequential"
    }
}
impl Field for Sequential {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Module(self));
    }
}
impl Forward for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut y = x.clone();
        for (name, layer) in &self.layers {
            // Behind `dyn` the caller's line is lost, so what does not fit is refused here.
            if let Err(why) = layer.check_input(&y) {
                panic!("Sequential, layer {name}: {why}");
            }
            y = layer.forward(&y);
        }
        record(self, &y);
        y
    }
    fn check_input(&self, x: &Tensor) -> Result<(), String> {
        match self.layers.first() {
            Some((name, layer)) => {
                layer.check_input(x).map_err(|why| format!("Sequential, layer {name}: {why}"))
            }
            None => Ok(()),
        }
    }
}

/// A [`Sequential`] of layers; `"name" => layer` names one.
///
/// ```
/// use taper_nn::{Linear, ReLU, sequential};
/// let net = sequential![Linear::new(4, 8), ReLU::new(), Linear::new(8, 2)];
/// let named = sequential!["hidden" => Linear::new(4, 8), "relu" => ReLU::new()];
/// assert_eq!((net.len(), named.len()), (3, 2));
/// ```
#[macro_export]
macro_rules! sequential {
    ($($name:literal => $layer:expr),+ $(,)?) => { $crate::Sequential::new()$(.add($name, $layer))+ };
    ($($layer:expr),* $(,)?) => { $crate::Sequential::new()$(.push($layer))* };
}

/// A list of modules, without a forward of its own. A `Vec` field of a derived module is seen alike; this
/// is for lists that are modules themselves.
///
/// ```
/// use taper_nn::{Linear, Module, ModuleList};
/// let list: ModuleList<Linear> = (0..3).map(|_| Linear::new(2, 2)).collect();
/// assert_eq!(list.len(), 3);
/// assert_eq!(list.state_dict().keys().last().unwrap(), "2.bias");
/// ```
pub struct ModuleList<M> {
    modules: Vec<M>,
}

impl<M: Field + Send + Sync> ModuleList<M> {
    /// Of these modules.
    pub fn new(modules: impl IntoIterator<Item = M>) -> Self {
        ModuleList { modules: modules.into_iter().collect() }
    }
    /// Takes one more.
    pub fn push(&mut self, module: M) {
        self.modules.push(module);
    }
    /// Number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }
    /// The module at a position.
    pub fn get(&self, i: usize) -> Option<&M> {
        self.modules.get(i)
    }
    /// The modules in order.
    pub fn iter(&self) -> std::slice::Iter<'_, M> {
        self.modules.iter()
    }
}

impl<M> Index<usize> for ModuleList<M> {
    type Output = M;
    #[track_caller]
    fn index(&self, i: usize) -> &M {
        &self.modules[i]
    }
}
impl<'a, M> IntoIterator for &'a ModuleList<M> {
    type Item = &'a M;
    type IntoIter = std::slice::Iter<'a, M>;
    fn into_iter(self) -> Self::IntoIter {
        self.modules.iter()
    }
}
impl<M: Field + Send + Sync> FromIterator<M> for ModuleList<M> {
    fn from_iter<I: IntoIterator<Item = M>>(modules: I) -> Self {
        Self::new(modules)
    }
}
impl<M: Field + Send + Sync> Module for ModuleList<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        for (i, m) in self.modules.iter().enumerate() {
            m.show(&i.to_string(), visitor);
        }
    }
    fn kind(&self) -> &'static str {
        "ModuleList"
    }
}
impl<M: Field + Send + Sync> Field for ModuleList<M> {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Module(self));
    }
}

impl std::fmt::Display for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::repr(self))
    }
}
impl<M: Field + Send + Sync> std::fmt::Display for ModuleList<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::repr(self))
    }
}
