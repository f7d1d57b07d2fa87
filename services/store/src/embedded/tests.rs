//! What only the embedded store has to do: its file, its lock, a full disk.
