//! What is inside an image: manifests, layers, archives; streams bytes to digests.
