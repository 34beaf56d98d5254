// Makes bitcoin.json: accounts of the published phrase, and PSBTs before and after other libraries have signed them.
// Run once: `npm install && node bitcoin.mjs > ../bitcoin.json` in this folder.

import { HDKey } from "@scure/bip32";
import { mnemonicToSeedSync } from "@scure/bip39";
import * as scure from "@scure/btc-signer";
import * as bitcoin from "bitcoinjs-lib";
import { ECPairFactory } from "ecpair";
import * as ecc from "tiny-secp256k1";

bitcoin.initEccLib(ecc);
const ECPair = ECPairFactory(ecc);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const seed = mnemonicToSeedSync("abandon ".repeat(11) + "about");
const root = HDKey.fromMasterSeed(seed);

const btc = bitcoin.networks.bitcoin;
const NETWORKS = {
  btc: { net: btc, coin: 0 },
  btc_testnet: { net: bitcoin.networks.testnet, coin: 1 },
  btc_signet: { net: bitcoin.networks.testnet, coin: 1 },
  btc_regtest: { net: bitcoin.networks.regtest, coin: 1 },
  ltc: { net: { ...btc, bech32: "ltc", pubKeyHash: 0x30, scriptHash: 0x32, wif: 0xb0 }, coin: 2 },
  doge: { net: { ...btc, bech32: "none", pubKeyHash: 0x1e, scriptHash: 0x16, wif: 0x9e }, coin: 3 },
};
const PURPOSES = { segwit: 84, taproot: 86, nested: 49, legacy: 44 };

function account(network, type, index) {
  const { net, coin } = NETWORKS[network];
  const path = `m/${PURPOSES[type]}'/${coin}'/0'/0/${index}`;
  const node = root.derive(path);
  const pubkey = node.publicKey;
  const segwit = () => bitcoin.payments.p2wpkh({ pubkey, network: net });
  const payment = {
    segwit,
    nested: () => bitcoin.payments.p2sh({ redeem: segwit(), network: net }),
    legacy: () => bitcoin.payments.p2pkh({ pubkey, network: net }),
    taproot: () => bitcoin.payments.p2tr({ internalPubkey: pubkey.slice(1), network: net }),
  }[type]();
  const fingerprint = root.fingerprint;
  return { network, type, index, path, net, fingerprint, key: node.privateKey, pubkey, payment, address: payment.address, script: payment.output };
}

// A transaction that pays `amount` to each script, as it could stand on the chain: its own input is made up.
function funding(scripts, amount, salt, withWitness) {
  const tx = new bitcoin.Transaction();
  tx.version = 2;
  tx.addInput(Buffer.alloc(32, salt), salt, 0xfffffffd);
  for (const script of scripts) tx.addOutput(script, BigInt(amount));
  if (withWitness) tx.setWitness(0, [Buffer.alloc(71, 7), Buffer.alloc(33, 8)]);
  return tx;
}

const stranger = (net, salt) => bitcoin.payments.p2pkh({ hash: Buffer.alloc(20, salt), network: net }).output;
const derivation = (who) => ({ fingerprint: who.fingerprint, path: who.path });

// bitcoinjs-lib, PSBT version 0.
function version0(name, { from, inputs, outputs, options = {} }) {
  const psbt = new bitcoin.Psbt({ network: from.net, maximumFeeRate: 1e9 });
  psbt.setVersion(options.version ?? 2);
  if (options.locktime) psbt.setLocktime(options.locktime);
  inputs.forEach(({ who, amount, salt }, at) => {
    const previous = funding([stranger(from.net, 3), who.script], amount, salt, at % 2 === 0);
    const input = { hash: previous.getHash(), index: 1, sequence: options.sequence ?? 0xfffffffd };
    if (!(options.claimed && who.type !== "legacy")) input.nonWitnessUtxo = previous.toBuffer();
    if (who.type !== "legacy" && !options.wholeOnly) input.witnessUtxo = { script: who.script, value: BigInt(amount) };
    if (who.type === "nested") input.redeemScript = who.payment.redeem.output;
    if (who.type === "taproot") input.tapInternalKey = who.pubkey.slice(1);
    if (options.sighash) input.sighashType = options.sighash;
    if (options.derivations && who.type !== "taproot")
      input.bip32Derivation = [{ masterFingerprint: Buffer.from(fingerprintOf()), path: who.path, pubkey: who.pubkey }];
    psbt.addInput(input);
  });
  for (const { script, who, amount, claim } of outputs) {
    const output = { script: script ?? who.script, value: BigInt(amount) };
    if (claim && claim.type === "taproot")
      output.tapBip32Derivation = [{ masterFingerprint: Buffer.from(fingerprintOf()), path: claim.path, pubkey: claim.pubkey.slice(1), leafHashes: [] }];
    else if (claim) output.bip32Derivation = [{ masterFingerprint: Buffer.from(fingerprintOf()), path: claim.path, pubkey: claim.pubkey }];
    psbt.addOutput(output);
  }
  const signWith = (who, at) => {
    const pair = ECPair.fromPrivateKey(who.key);
    const signer = who.type === "taproot" ? pair.tweak(bitcoin.crypto.taggedHash("TapTweak", who.pubkey.slice(1))) : pair;
    psbt.signInput(at, signer, options.sighash ? [options.sighash] : undefined);
  };
  inputs.forEach(({ who, before, final }, at) => {
    if (before) signWith(who, at);
    if (final) psbt.finalizeInput(at);
  });
  const unsigned = psbt.toHex();
  inputs.forEach(({ who, before }, at) => before || signWith(who, at));
  inputs.forEach(({ final }, at) => final || psbt.finalizeInput(at));
  const tx = psbt.extractTransaction(true);
  return vector(name, "bitcoinjs-lib", 0, from, unsigned, tx, inputs, outputs);
}

function fingerprintOf() {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(root.fingerprint);
  return out;
}

// @scure/btc-signer, PSBT version 2.
function version2(name, { from, inputs, outputs, options = {} }) {
  const tx = new scure.Transaction({ version: options.version ?? 2, PSBTVersion: 2, lockTime: options.locktime ?? 0, allowUnknownOutputs: true });
  for (const { who, amount, salt, extra } of inputs) {
    const previous = funding([stranger(from.net, 3), who.script], amount, salt, true);
    const input = { txid: hex(Buffer.from(previous.getHash()).reverse()), index: 1, sequence: options.sequence ?? 0xfffffffd, ...extra };
    if (!options.claimed) input.nonWitnessUtxo = previous.toHex();
    if (who.type !== "legacy") input.witnessUtxo = { script: who.script, amount: BigInt(amount) };
    if (who.type === "nested") input.redeemScript = who.payment.redeem.output;
    if (who.type === "taproot") input.tapInternalKey = who.pubkey.slice(1);
    if (options.sighash) input.sighashType = options.sighash;
    tx.addInput(input);
  }
  for (const { script, who, amount } of outputs) tx.addOutput({ script: script ?? who.script, amount: BigInt(amount) });
  const unsigned = hex(tx.toPSBT(2));
  inputs.forEach(({ who }, at) => tx.signIdx(who.key, at, options.sighash ? [options.sighash] : undefined, new Uint8Array(32)));
  tx.finalize();
  return vector(name, "@scure/btc-signer", 2, from, unsigned, bitcoin.Transaction.fromHex(tx.hex), inputs, outputs);
}

function vector(name, made_by, psbt_version, from, unsigned_tx, tx, inputs, outputs) {
  const total = (each) => each.reduce((sum, { amount }) => sum + amount, 0);
  return {
    name,
    made_by,
    network: from.network,
    type: from.network === "doge" ? "" : from.type,
    index: from.index,
    address: from.address,
    psbt_version,
    unsigned_tx,
    signed_tx: tx.toHex(),
    tx_id: tx.getId(),
    vsize: tx.virtualSize(),
    fee: total(inputs) - total(outputs),
    change: total(outputs.filter(({ who }) => who && who.address === from.address)),
  };
}

const accounts = [];
for (const network of Object.keys(NETWORKS)) {
  for (const type of network === "doge" ? ["legacy"] : Object.keys(PURPOSES)) {
    for (const index of [0, 1, 2147483647]) {
      const { path, address, pubkey } = account(network, type, index);
      accounts.push({ network, type: network === "doge" ? "" : type, index, path, address, public_key: hex(pubkey) });
    }
  }
}

const transactions = [];
for (const network of ["btc", "btc_testnet", "ltc"]) {
  for (const type of Object.keys(PURPOSES)) {
    const from = account(network, type, 0);
    const plain = {
      from,
      inputs: [{ who: from, amount: 150000, salt: 1 }],
      outputs: [{ script: stranger(from.net, 9), amount: 100000 }, { who: from, amount: 49000 }],
    };
    transactions.push(version0("transfer", plain), version2("transfer", plain));
    const several = {
      from,
      inputs: [1, 2, 3].map((salt) => ({ who: from, amount: 90000 + salt, salt })),
      outputs: [{ script: stranger(from.net, 9), amount: 200001 }, { who: account(network, type, 1), amount: 60000 }],
    };
    transactions.push(version0("several inputs", several), version2("several inputs", several));
  }
}
for (const type of Object.keys(PURPOSES)) {
  const from = account("btc", type, 0);
  const other = account("btc", type, 1);
  for (const [name, state] of [["signed by another", { before: true }], ["made final by another", { before: true, final: true }]]) {
    transactions.push(
      version0(name, {
        from,
        inputs: [{ who: other, amount: 70000, salt: 5, ...state }, { who: from, amount: 80000, salt: 6 }],
        outputs: [{ script: stranger(btc, 9), amount: 140000 }],
      }),
    );
  }
  transactions.push(
    version0("locked, final sequence, version 1", {
      from,
      inputs: [{ who: from, amount: 80000, salt: 6 }],
      outputs: [{ script: stranger(btc, 9), amount: 79000 }],
      options: { version: 1, locktime: 800000, sequence: 0xfffffffe },
    }),
    version2("locked by its input", {
      from,
      inputs: [{ who: from, amount: 80000, salt: 6, extra: { requiredHeightLocktime: 700001, requiredTimeLocktime: 1600000000 } }],
      outputs: [{ script: stranger(btc, 9), amount: 79000 }],
    }),
    version0("data and derivations", {
      from,
      inputs: [{ who: from, amount: 80000, salt: 6 }],
      outputs: [{ script: bitcoin.payments.embed({ data: [Buffer.from("hello")] }).output, amount: 0 }, { who: from, amount: 70000, claim: from }],
      options: { derivations: true },
    }),
  );
}
for (const type of ["segwit", "nested", "taproot"]) {
  const from = account("btc", type, 0);
  transactions.push(
    version0("amount claimed", {
      from,
      inputs: [{ who: from, amount: 80000, salt: 6 }],
      outputs: [{ script: stranger(btc, 9), amount: 79000 }],
      options: { claimed: true },
    }),
  );
}
const taproot = account("btc", "taproot", 0);
transactions.push(
  version0("all, said", {
    from: taproot,
    inputs: [{ who: taproot, amount: 80000, salt: 6 }],
    outputs: [{ script: stranger(btc, 9), amount: 79000 }],
    options: { sighash: 1 },
  }),
  version0("several amounts claimed", {
    from: taproot,
    inputs: [1, 2].map((salt) => ({ who: taproot, amount: 80000, salt })),
    outputs: [{ script: stranger(btc, 9), amount: 159000 }],
    options: { claimed: true },
  }),
);
const mixed = Object.keys(PURPOSES).map((type, at) => ({ who: account("btc", type, 0), amount: 50000, salt: 10 + at, before: type !== "segwit" }));
transactions.push(
  version0("inputs of every kind", {
    from: mixed[0].who,
    inputs: mixed,
    outputs: Object.keys(PURPOSES).map((type) => ({ who: account("btc", type, 7), amount: 49000 })),
  }),
);
const doge = account("doge", "legacy", 0);
transactions.push(
  version0("transfer", {
    from: doge,
    inputs: [{ who: doge, amount: 5000000000, salt: 1 }],
    outputs: [{ script: stranger(doge.net, 9), amount: 4000000000 }, { who: doge, amount: 999000000 }],
    options: { version: 1 },
  }),
);

process.stdout.write(JSON.stringify({ phrase: "abandon ".repeat(11) + "about", accounts, transactions }, null, 1) + "\n");
