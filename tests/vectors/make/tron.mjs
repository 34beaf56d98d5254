// Adds to tron.json the transactions and messages that TronWeb makes and that are listed here; what is there under the same name is replaced.
// Run once: `npm install && node tron.mjs` in this folder.
import { readFileSync, writeFileSync } from "node:fs";
import { TronWeb } from "tronweb";

const FILE = new URL("../tron.json", import.meta.url);
const vectors = JSON.parse(readFileSync(FILE));
const [us, them] = vectors.accounts;
const tronWeb = new TronWeb({ fullHost: "http://127.0.0.1:1", privateKey: us.private_key });
vectors.generator = `tronweb ${tronWeb.version ?? TronWeb.version}`;

const header = { ref_block_bytes: "b1c2", ref_block_hash: "0102030405060708", expiration: 1900000060000, timestamp: 1900000000000 };
const options = { blockHeader: header, txLocal: true };

async function transaction(name, unsigned) {
  const signed = await tronWeb.trx.sign(unsigned, us.private_key);
  const hex = tronWeb.utils.transaction.txJsonToPb(signed);
  signed.signature.forEach((each) => hex.addSignature(Uint8Array.from(Buffer.from(each.replace(/^0x/, ""), "hex"))));
  const { type, parameter } = unsigned.raw_data.contract[0];
  return {
    name,
    type,
    raw_data: unsigned.raw_data_hex,
    signature: signed.signature[0].replace(/^0x/, "").toLowerCase(),
    signed_tx: Buffer.from(hex.serializeBinary()).toString("hex"),
    tx_id: unsigned.txID,
    parameter: parameter.value,
  };
}

const proposal = [{ key: 0, value: 21600000 }, { key: 11, value: 420 }, { key: 9, value: 1 }];
const made = [await transaction("create_proposal", await tronWeb.transactionBuilder.createProposal(proposal, us.address, options))];
const names = new Set(made.map((each) => each.name));
vectors.transactions = [...vectors.transactions.filter((each) => !names.has(each.name)), ...made];

const texts = ["", "hello", "Привет, Tron", "a".repeat(1000), "0x1234", "line\nline"];
const blobs = ["00", "ff".repeat(32), "0a02b1c2"];
const { hashMessage, signMessage } = tronWeb.utils.message;
const bare = (hex) => hex.replace(/^0x/, "");
vectors.messages = [
  ...texts.map((message) => ({ message, digest: bare(hashMessage(message)), signature: bare(signMessage(message, us.private_key)) })),
  ...blobs.map((hex) => {
    const bytes = [...Buffer.from(hex, "hex")];
    return { message_hex: hex, digest: bare(hashMessage(bytes)), signature: bare(signMessage(bytes, us.private_key)) };
  }),
];

const person = [{ name: "name", type: "string" }, { name: "wallet", type: "address" }];
const mail = {
  domain: { name: "Mail", version: "1", chainId: "0x2b6653dc", verifyingContract: them.address },
  types: { Person: person, Mail: [{ name: "from", type: "Person" }, { name: "to", type: "Person[]" }, { name: "contents", type: "string" }] },
  primaryType: "Mail",
  message: { from: { name: "Us", wallet: us.address }, to: [{ name: "Them", wallet: them.hex }, { name: "Zero", wallet: "0x" + "00".repeat(20) }], contents: "Hello" },
};
const order = {
  domain: { name: "Order", chainId: 728126428 },
  types: {
    Order: [
      { name: "token", type: "trcToken" },
      { name: "tokens", type: "trcToken[2]" },
      { name: "amount", type: "int64" },
      { name: "tag", type: "bytes4" },
      { name: "note", type: "bytes" },
      { name: "open", type: "bool" },
    ],
  },
  primaryType: "Order",
  message: { token: "1002000", tokens: ["1", "2"], amount: "-5", tag: "0x01020304", note: "0x", open: true },
};
const domainTypes = { name: "string", version: "string", chainId: "uint256", verifyingContract: "address", salt: "bytes32" };
vectors.typed_data = await Promise.all(
  [["mail", mail], ["order", order]].map(async ([name, { domain, types, primaryType, message }]) => {
    const EIP712Domain = Object.keys(domainTypes).filter((key) => key in domain).map((key) => ({ name: key, type: domainTypes[key] }));
    return {
      name,
      typed_data: { types: { EIP712Domain, ...types }, primaryType, domain, message },
      digest: bare(tronWeb.utils._TypedDataEncoder.hash(domain, types, message)),
      signature: bare(await tronWeb.trx._signTypedData(domain, types, message, us.private_key)),
    };
  }),
);
writeFileSync(FILE, JSON.stringify(vectors, null, 1) + "\n");
