-- Which of a network's kinds of address a row is: '' the usual one. One key's place may have an address of each.
ALTER TABLE derived_addresses ADD COLUMN variant text NOT NULL DEFAULT '';

ALTER TABLE derived_addresses
    DROP CONSTRAINT derived_addresses_wallet_id_network_address_index_key,
    ADD UNIQUE (wallet_id, network, variant, address_index);
