//! The rules of [`Store`](crate::ports::Store) as cases that anybody's store can be run against.
