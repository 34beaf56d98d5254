# What the service may do: use one Transit key. It cannot read, export, rotate, change or delete it, nor list what else there is.
path "transit/encrypt/wallet-master-key" {
  capabilities = ["update"]
}
path "transit/decrypt/wallet-master-key" {
  capabilities = ["update"]
}

# Look after its own token.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
