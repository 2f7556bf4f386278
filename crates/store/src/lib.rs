//! Durable stores on disk: data directories, blobs, the registry's repositories.
