//! HTTP faces of the services.
