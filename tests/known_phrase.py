"""The phrase whose accounts every wallet's authors know, the first of them on each network, as wallets in use show them, and another."""

PHRASE = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
ANOTHER_PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
FIRST_ADDRESSES = {
    "eth": "0x9858EfFD232B4033E47d90003D41EC34EcaEda94",
    "tron": "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH",
    "sol": "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk",
    "btc": "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    "ltc": "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh",
    "doge": "DBus3bamQjgJULBJtYXpEzDWQRwF5iwxgC",
    "ton": "UQAzWZa6nM5mJev91wGc7VCSfBoIsYRqKJpV78N8Add9-RKY",
}
