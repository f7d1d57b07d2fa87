//! Dialogs made of messages, one fact a test.
