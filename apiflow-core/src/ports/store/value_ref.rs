//! References to values: rows and the engine's control state never hold a value themselves.

use serde::{Deserialize, Serialize};

/// A reference to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueRef {
    /// The value `null`.
    Null,
    /// An index, such as a while loop's `iter.value`.
    Index(u64),
    /// The value of the event with this sequence number.
    Row(u64),
    /// An element of an array.
    Item(Box<Self>, u64),
    /// The results of a loop or `branchall` that has ended: the items of the list with this number, in order.
    List(u64),
    /// The arguments of a flow, with the current iteration.
    Args(Args),
    /// `{}`, which replaces an erased value.
    Erased,
}

impl ValueRef {
    /// Calls `visit` with the references that this one consists of, except for the items of a list, which are not known
    /// here.
    pub(crate) fn each_part(&self, visit: &mut dyn FnMut(&Self)) {
        match self {
            Self::Null | Self::Index(_) | Self::Row(_) | Self::List(_) | Self::Erased => visit(self),
            Self::Item(array, _) => array.each_part(visit),
            Self::Args(args) => {
                args.base.each_part(visit);
                args.iters.iter().for_each(|iter| iter.value.each_part(visit));
            }
        }
    }

    /// Calls `visit` with each event whose value this reference needs, except for those of lists.
    pub(crate) fn each_row(&self, visit: &mut dyn FnMut(u64)) {
        self.each_part(&mut |part| {
            if let Self::Row(seq) = part {
                visit(*seq);
            }
        });
    }
}

/// The arguments of a flow or child flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Args {
    /// The flow's own input, an object.
    pub base: Box<ValueRef>,
    /// The enclosing iterations, innermost last: `iter`, then `iter_parent`, and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub iters: Vec<Iter>,
}

/// One iteration of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iter {
    /// Index of the iteration, from 0.
    pub index: u64,
    /// Item of the iteration.
    pub value: ValueRef,
}

impl Args {
    /// Creates arguments outside of any loop.
    pub fn without_loop(base: ValueRef) -> Self {
        Self { base: Box::new(base), iters: Vec::new() }
    }

    /// Returns the same arguments inside one more iteration.
    pub fn with_iter(&self, index: u64, value: ValueRef) -> Self {
        let mut inner = self.clone();
        inner.iters.push(Iter { index, value });
        inner
    }

    /// Returns the reference to the arguments.
    pub fn to_value_ref(&self) -> ValueRef {
        if self.iters.is_empty() { (*self.base).clone() } else { ValueRef::Args(self.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stored_references_keep_their_json() {
        let item = ValueRef::Item(Box::new(ValueRef::Row(7)), 2);
        let stored = [
            (ValueRef::Null, json!("null")),
            (ValueRef::Index(3), json!({"index": 3})),
            (ValueRef::Row(7), json!({"row": 7})),
            (item.clone(), json!({"item": [{"row": 7}, 2]})),
            (ValueRef::List(4), json!({"list": 4})),
            (
                ValueRef::Args(Args::without_loop(ValueRef::Row(1)).with_iter(2, item)),
                json!({"args": {"base": {"row": 1}, "iters": [{"index": 2, "value": {"item": [{"row": 7}, 2]}}]}}),
            ),
            (ValueRef::Erased, json!("erased")),
        ];
        for (reference, json) in stored {
            assert_eq!(serde_json::to_value(&reference).expect("plain data"), json);
            assert_eq!(serde_json::from_value::<ValueRef>(json).expect("a reference"), reference);
        }
    }
}
