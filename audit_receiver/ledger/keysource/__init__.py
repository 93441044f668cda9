"""Where the private keys of the heads live: a file, the environment, a PKCS#11 token, a KMS."""
