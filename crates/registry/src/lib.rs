//! OCI distribution client: authentication, referrers, copy, layouts.
