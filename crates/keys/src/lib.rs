//! Private keys and the Signer trait: generate, import, encrypt, sign.
