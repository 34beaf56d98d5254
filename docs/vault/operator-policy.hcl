# What an operator may do who rotates the key (`crypto-wallets keys`): make new versions, have ciphertexts encrypted anew inside of Vault,
# and retire old versions. It sees no mnemonic: it cannot decrypt, export or delete.
path "transit/keys/wallet-master-key" {
  capabilities = ["read"]
}
path "transit/keys/wallet-master-key/rotate" {
  capabilities = ["update"]
}
path "transit/rewrap/wallet-master-key" {
  capabilities = ["update"]
}
path "transit/keys/wallet-master-key/config" {
  capabilities       = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

# Look after its own token.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
