"""Mean what a wallet means: derive, decode, sign, keep. Nothing here does I/O.

This package is the whole of what touches a key, so an auditor who has read it has read everything.

**Model.** A `Wallet` is one BIP-39 seed under one label. An `Account` is one key's place in it: wallet, network, index. A `Chain` says
what one network means: its path, its addresses, how its unsigned transactions decode. What cannot be decoded whole is not signed.

**Keys.** A mnemonic exists in clear only inside a process that signs, inside the types of `wallets.secret`, for as long as the
`Keyring` keeps it unlocked (bounded in number and time). At rest it is ciphertext made by a `KeyEncryption`, bound to its wallet.

**Signing.** Decode, find the wallet, unlock the key, check the policy, sign, verify with the public key, write the audit row; only then
does a signature leave. No audit, no signature.

**Compatible for ever.** The paths, address forms and the `v1_0_8` derivation scheme: a wallet must find its coins again.
"""
