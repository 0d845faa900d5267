//! apiflow in the browser.
