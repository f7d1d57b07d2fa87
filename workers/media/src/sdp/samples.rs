//! Descriptions as devices write them.
