//! Fetches packages.
