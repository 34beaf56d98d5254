// Adds to ton.json what is listed here, made with @ton/ton and @ton/core; what is there under the same name is replaced.
// Run once: `npm install && node ton.mjs` in this folder.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { Address, Cell, SendMode, beginCell, comment, external, internal, storeMessage } from "@ton/core";
import { keyPairFromSeed, sign } from "@ton/crypto";
import { WalletContractV3R2, WalletContractV4, WalletContractV5R1 } from "@ton/ton";

const FILE = new URL("../ton.json", import.meta.url);
const vectors = JSON.parse(readFileSync(FILE));
const key = keyPairFromSeed(Buffer.from(vectors.accounts[0].private_key, "hex"));
const [us, them, third] = vectors.accounts.slice(0, 3).map((each) => Address.parse(each.address));
const VALID_UNTIL = 1800000000;
const walletOf = {
  v4r2: (publicKey) => WalletContractV4.create({ workchain: 0, publicKey }),
  v5r1: (publicKey) => WalletContractV5R1.create({ walletId: { networkGlobalId: -239 }, publicKey }),
  v3r2: (publicKey) => WalletContractV3R2.create({ workchain: 0, publicKey }),
  v5r1_testnet: (publicKey) => WalletContractV5R1.create({ walletId: { networkGlobalId: -3 }, publicKey }),
};
const bag = (cell, crc32 = true) => cell.toBoc({ idx: false, crc32 }).toString("hex");

for (const account of vectors.accounts) {
  const { publicKey } = keyPairFromSeed(Buffer.from(account.private_key, "hex"));
  account.variants = Object.fromEntries(Object.entries(walletOf).map(([name, make]) => [name, make(publicKey).address.toString({ bounceable: false })]));
}

/** Takes the signature off a wallet's body: it stands before the payload, but in v5 behind it. */
function split(version, body) {
  const slice = body.beginParse();
  if (!version.startsWith("v5")) {
    const signature = slice.loadBuffer(64);
    return { signature, payload: slice.asCell() };
  }
  const payload = beginCell().storeBits(slice.loadBits(slice.remainingBits - 512));
  while (slice.remainingRefs) payload.storeRef(slice.loadRef());
  return { signature: slice.loadBuffer(64), payload: payload.endCell() };
}

function transaction(name, version, seqno, messages, request) {
  const wallet = walletOf[version](key.publicKey);
  const sendMode = SendMode.PAY_GAS_SEPARATELY + SendMode.IGNORE_ERRORS;
  const body = wallet.createTransfer({ seqno, secretKey: key.secretKey, messages, sendMode, timeout: VALID_UNTIL });
  const { signature, payload } = split(version, body);
  const message = (init) => beginCell().store(storeMessage(external({ to: wallet.address, init, body }), { forceRef: true })).endCell().hash().toString("hex");
  return {
    name,
    ...(version === "v4r2" ? {} : { version }),
    unsigned_tx: bag(payload),
    unsigned_tx_without_crc: bag(payload, false),
    signature: signature.toString("hex"),
    message_hash: message(seqno === 0 ? wallet.init : undefined),
    tx_id: message(undefined),
    ...(request ? { request: { seqno, valid_until: VALID_UNTIL, messages: request } } : {}),
  };
}

const forms = { us: us.toString({ bounceable: false }), them: them.toString({ bounceable: false }), bounceable: third.toString() };
const nft = beginCell().storeUint(0x5fcc3d14, 32).storeUint(9, 64).storeAddress(them).storeAddress(us).storeBit(0).storeCoins(1).storeBit(0).endCell();
const burn = beginCell().storeUint(0x595f07bc, 32).storeUint(10, 64).storeCoins(1234n).storeAddress(us).storeBit(0).endCell();
const jetton = beginCell()
  .storeUint(0x0f8a7ea5, 32).storeUint(77, 64).storeCoins(1234567n).storeAddress(them).storeAddress(us).storeBit(0).storeCoins(1n).storeBit(1)
  .storeRef(comment("invoice 7"))
  .endCell();
const unknown = beginCell().storeUint(0x12345678, 32).storeUint(7, 64).endCell();
const text = "x".repeat(400);
const state = { code: beginCell().storeUint(7, 8).endCell(), data: beginCell().storeUint(8, 8).endCell() };
const stateCell = beginCell().storeUint(0b00110, 5).storeRef(state.code).storeRef(state.data).endCell();
const deployed = new Address(0, stateCell.hash());
const made = [
  transaction("call", "v4r2", 8, [internal({ to: third, value: 100000000n, body: unknown })]),
  transaction("nft_transfer", "v4r2", 9, [internal({ to: third, value: 50000000n, body: nft })]),
  transaction("jetton_burn", "v4r2", 10, [internal({ to: third, value: 50000000n, body: burn })]),
];
for (const version of Object.keys(walletOf)) {
  const many = [...Array({ v5r1: 255, v5r1_testnet: 5 }[version] ?? 4).keys()];
  made.push(
    transaction(`${version}_transfer_first`, version, 0, [internal({ to: them, value: 50000000n, bounce: false })], [{ to: forms.them, amount: "50000000" }]),
    transaction(`${version}_comment`, version, 2, [internal({ to: third, value: 1n, body: "Hello, Привет" })], [{ to: forms.bounceable, amount: 1, comment: "Hello, Привет" }]),
    transaction(`${version}_long_comment`, version, 3, [internal({ to: them, value: 1n, bounce: false, body: text })], [{ to: forms.them, amount: "1", comment: text }]),
    transaction(
      `${version}_many`,
      version,
      4,
      many.map((number) => internal({ to: third, value: BigInt(number), bounce: number % 2 === 0 })),
      many.map((number) => ({ to: forms.bounceable, amount: String(number), bounce: number % 2 === 0 })),
    ),
    transaction(
      `${version}_jetton`,
      version,
      5,
      [internal({ to: third, value: 50000000n, body: jetton }), internal({ to: third, value: 6n, body: nft })],
      [{ to: forms.bounceable, amount: "50000000", payload: bag(jetton) }, { to: third.toRawString(), amount: "6", payload: nft.toBoc({ idx: false }).toString("base64") }],
    ),
    transaction(
      `${version}_deploy`,
      version,
      6,
      [internal({ to: deployed, value: 7n, bounce: false, init: state })],
      [{ to: deployed.toRawString(), amount: "7", bounce: false, mode: 3, state_init: bag(stateCell) }],
    ),
  );
}
const names = new Set(made.map((each) => each.name));
vectors.transactions = [...vectors.transactions.filter((each) => !names.has(each.name)), ...made];

const DOMAIN = "ton-connect.github.io";
const uint = (value, bytes) => Buffer.from(BigInt(value).toString(16).padStart(2 * bytes, "0"), "hex");
const dns = (domain) => domain.split(".").reverse().map((label) => `${label}\0`).join("");
function signed(name, version, payload) {
  const { address } = walletOf[version](key.publicKey);
  const content = payload.type === "text" ? Buffer.from(payload.text) : Buffer.from(payload.bytes ?? "", "base64");
  const flat = () =>
    createHash("sha256")
      .update(Buffer.concat([
        Buffer.from([0xff, 0xff]), Buffer.from("ton-connect/sign-data/"), uint(address.workChain, 4), address.hash, uint(DOMAIN.length, 4), Buffer.from(DOMAIN),
        uint(VALID_UNTIL, 8), Buffer.from(payload.type === "text" ? "txt" : "bin"), uint(content.length, 4), content,
      ]))
      .digest();
  const cell = () =>
    beginCell()
      .storeUint(0x75569022, 32).storeUint(crc32(payload.schema), 32).storeUint(VALID_UNTIL, 64).storeAddress(address)
      .storeStringRefTail(dns(DOMAIN)).storeRef(Cell.fromBase64(payload.cell))
      .endCell().hash();
  const digest = payload.type === "cell" ? cell() : flat();
  return { name, version, request: { ...payload, domain: DOMAIN, timestamp: VALID_UNTIL }, digest: digest.toString("hex"), signature: sign(digest, key.secretKey).toString("hex") };
}
const note = comment("Hello, TON!").toBoc({ idx: false }).toString("base64");
vectors.sign_data = Object.keys(walletOf).flatMap((version) => [
  signed(`${version}_text`, version, { type: "text", text: "Confirm new 2fa number:\n+1 234 567 8901, Привет" }),
  signed(`${version}_binary`, version, { type: "binary", bytes: Buffer.from("(electric boogaloo)").toString("base64") }),
  signed(`${version}_cell`, version, { type: "cell", schema: "comment#00000000 text:SnakeData = InMsgBody;", cell: note }),
]);
writeFileSync(FILE, JSON.stringify(vectors, null, 1) + "\n");
