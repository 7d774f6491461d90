//! Numbers that parameter groups may have each their own of.

/// One number for all parameter groups, or one for each: made from an `f64`, an array or a `Vec`.
#[derive(Clone, Debug, PartialEq)]
pub struct PerGroup(Vec<f64>);

impl PerGroup {
    /// The number of a group.
    pub(crate) fn of(&self, group: usize) -> f64 {
        if self.0.len() == 1 { self.0[0] } else { self.0[group] }
    }

    /// Panics where there is neither one number nor as many as groups.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, groups: usize) {
        let n = self.0.len();
        assert!(n == 1 || n == groups, "{name} has {n} numbers for {groups} parameter groups");
    }
}

impl From<f64> for PerGroup {
    fn from(v: f64) -> Self {
        PerGroup(vec![v])
    }
}
impl From<Vec<f64>> for PerGroup {
    fn from(v: Vec<f64>) -> Self {
        PerGroup(v)
    }
}
impl<const N: usize> From<[f64; N]> for PerGroup {
    fn from(v: [f64; N]) -> Self {
        PerGroup(v.into())
    }
}
