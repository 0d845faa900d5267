//! Where the cards and edges of a workflow are drawn.
