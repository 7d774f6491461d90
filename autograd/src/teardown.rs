//! Dropping a graph without recursion, however deep it is.
//!
//! The first node dropped on a thread walks what hangs on it with a stack of its own. A node that dies meanwhile
//! inside a closure or a kept gradient leaves its contents in a queue for that walk.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::{Arc, Mutex};

use smallvec::SmallVec;

use crate::node::{Extra, Inputs};
use crate::rule::Recorded;
use crate::{Node, Value};

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
    static QUEUE: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Frees the thread for the next walk, also when a value's own drop panics.
struct Busy;

impl Busy {
    fn start() -> Self {
        BUSY.set(true);
        Busy
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// All through which a node may own others: its inputs; what its rules, hooks and kept gradient hold.
type Contents<V> = (Inputs<V>, Recorded<V>, Option<Box<Mutex<Extra<V>>>>);

impl<V: Value> Node<V> {
    fn owns_inputs_only(&mut self) -> bool {
        let recorded = self.recorded.get_mut().unwrap_or_else(|e| e.into_inner());
        matches!(recorded, Recorded::Freed) && self.extra.get().is_none()
    }

    fn take_contents(&mut self) -> Contents<V> {
        let recorded = self.recorded.get_mut().unwrap_or_else(|e| e.into_inner());
        (mem::take(&mut self.inputs), mem::replace(recorded, Recorded::Freed), self.extra.take())
    }
}

impl<V: Value> Drop for Node<V> {
    fn drop(&mut self) {
        if self.inputs.is_empty() {
            return; // a leaf, or already taken apart below
        }
        if self.owns_inputs_only() && self.inputs.iter().all(|input| Arc::strong_count(input) > 1) {
            return; // as a walk leaves it: nothing ends with it
        }
        let contents = self.take_contents();
        if BUSY.get() {
            // Only while the thread itself ends is the queue gone; then the contents are dropped right here.
            let _ = QUEUE.try_with(|queue| queue.borrow_mut().push(Box::new(contents)));
            return;
        }
        let _busy = Busy::start();
        let mut stack: SmallVec<[_; 8]> = contents.0.into_iter().collect();
        // The stack still owns the inputs, so saved values that die here end no further node.
        drop((contents.1, contents.2));
        loop {
            while let Some(node) = stack.pop() {
                if let Some(mut node) = Arc::into_inner(node) {
                    stack.extend(mem::take(&mut node.inputs));
                }
            }
            let Some(next) = QUEUE.try_with(|queue| queue.borrow_mut().pop()).ok().flatten() else { return };
            // Contents of another value type are dropped as they are; their nodes queue up again.
            if let Ok(contents) = next.downcast::<Contents<V>>() {
                stack.extend(contents.0);
                drop((contents.1, contents.2));
            }
        }
    }
}
