// Makes bitcoin_messages.json: messages signed by accounts of the published phrase, by other libraries than ours.
// Run once: `npm install && node bitcoin_messages.mjs > ../bitcoin_messages.json` in this folder.

import { HDKey } from "@scure/bip32";
import { mnemonicToSeedSync } from "@scure/bip39";
import * as bip322 from "bip322-js";
import * as bitcoin from "bitcoinjs-lib";
import compact from "bitcoinjs-message";
import { ECPairFactory } from "ecpair";
import * as ecc from "tiny-secp256k1";

bitcoin.initEccLib(ecc);
const ECPair = ECPairFactory(ecc);
const phrase = "abandon ".repeat(11) + "about";
const root = HDKey.fromMasterSeed(mnemonicToSeedSync(phrase));

const btc = bitcoin.networks.bitcoin;
const NETWORKS = {
  btc: { net: btc, coin: 0, prefix: "\x18Bitcoin Signed Message:\n" },
  btc_testnet: { net: bitcoin.networks.testnet, coin: 1, prefix: "\x18Bitcoin Signed Message:\n" },
  ltc: { net: { ...btc, bech32: "ltc", pubKeyHash: 0x30, scriptHash: 0x32 }, coin: 2, prefix: "\x19Litecoin Signed Message:\n" },
  doge: { net: { ...btc, bech32: "none", pubKeyHash: 0x1e, scriptHash: 0x16 }, coin: 3, prefix: "\x19Dogecoin Signed Message:\n" },
};
const PURPOSES = { segwit: 84, taproot: 86, nested: 49, legacy: 44 };
const SEGWIT_TYPES = { segwit: "p2wpkh", nested: "p2sh(p2wpkh)" };
const TEXTS = ["Hello World", "a", "UTF-8: öäü 测试 😄", "x".repeat(253), "Sign in to example.org\nat noon"];

function account(network, type) {
  const { net, coin } = NETWORKS[network];
  const node = root.derive(`m/${PURPOSES[type]}'/${coin}'/0'/0/0`);
  const pubkey = node.publicKey;
  const segwit = bitcoin.payments.p2wpkh({ pubkey, network: net });
  const payment = {
    segwit: () => segwit,
    nested: () => bitcoin.payments.p2sh({ redeem: segwit, network: net }),
    legacy: () => bitcoin.payments.p2pkh({ pubkey, network: net }),
    taproot: () => bitcoin.payments.p2tr({ internalPubkey: pubkey.slice(1), network: net }),
  }[type]();
  return { network, type, net, key: node.privateKey, pubkey, payment, address: payment.address };
}

// BIP-322 with bitcoinjs-lib alone: the two transactions, and the second one signed as any other.
function proof(who, text) {
  const tag = bitcoin.crypto.sha256(Buffer.from("BIP0322-signed-message"));
  const hash = bitcoin.crypto.sha256(Buffer.concat([tag, tag, Buffer.from(text)]));
  const toSpend = new bitcoin.Transaction();
  toSpend.version = 0;
  toSpend.addInput(Buffer.alloc(32), 0xffffffff, 0, Buffer.concat([Buffer.from("0020", "hex"), hash]));
  toSpend.addOutput(who.payment.output, 0n);
  const psbt = new bitcoin.Psbt({ network: who.net });
  psbt.setVersion(0);
  const input = { hash: toSpend.getHash(), index: 0, sequence: 0 };
  if (who.type === "legacy") input.nonWitnessUtxo = toSpend.toBuffer();
  else input.witnessUtxo = { script: who.payment.output, value: 0n };
  if (who.type === "nested") input.redeemScript = who.payment.redeem.output;
  if (who.type === "taproot") Object.assign(input, { tapInternalKey: who.pubkey.slice(1), sighashType: 1 });
  psbt.addInput(input);
  psbt.addOutput({ script: Buffer.from("6a", "hex"), value: 0n });
  const pair = ECPair.fromPrivateKey(who.key, { network: who.net });
  const signer = who.type === "taproot" ? pair.tweak(bitcoin.crypto.taggedHash("TapTweak", who.pubkey.slice(1))) : pair;
  psbt.signInput(0, signer, who.type === "taproot" ? [1] : undefined);
  psbt.finalizeAllInputs();
  const signed = psbt.extractTransaction(true);
  const isNative = who.type === "segwit" || who.type === "taproot";
  const raw = isNative ? Buffer.from(psbt.data.inputs[0].finalScriptWitness) : Buffer.from(signed.toBuffer());
  return { text: (isNative ? "smp" : "ful") + raw.toString("base64"), witness: raw.toString("base64"), isNative };
}

const messages = [];
for (const network of Object.keys(NETWORKS)) {
  for (const type of network === "doge" ? ["legacy"] : Object.keys(PURPOSES)) {
    const who = account(network, type);
    for (const message of TEXTS) {
      const row = { network, type, address: who.address, message };
      if (network !== "doge") {
        const signed = proof(who, message);
        // bip322-js knows Bitcoin's networks, and signatures without the letters in front.
        const known = signed.isNative && network.startsWith("btc");
        if (known && !bip322.Verifier.verifySignature(who.address, message, signed.witness)) throw new Error(`bip322-js refuses ${type}`);
        messages.push({ ...row, format: "bip322", signature_text: signed.text, is_verified_by_bip322_js: known });
      }
      if (type !== "taproot") {
        const options = SEGWIT_TYPES[type] && { segwitType: SEGWIT_TYPES[type] };
        const signature = compact.sign(message, Buffer.from(who.key), true, NETWORKS[network].prefix, options);
        messages.push({ ...row, format: "bip137", signature_text: signature.toString("base64") });
      }
    }
  }
}
process.stdout.write(JSON.stringify({ phrase, messages }, null, 1) + "\n");
