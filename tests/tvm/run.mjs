// Runs external messages on wallets in TON's own virtual machine, and says what came of them.
//
// Standard input: {"now": seconds, "wallets": [{"address", "messages": [base64 of a bag, ...]}, ...]}.
// Standard output: for each wallet, for each message, either {"error"} where no node would take it, or
// {"before": state of the wallet, "exit_code", "action_code", "seqno": the next one, "sent": [{"to", "value", "bounce", "body": hash, "state": of the target}]}.
import { readFileSync } from "node:fs";
import { Address, Cell, loadMessage, toNano } from "@ton/core";
import { Blockchain } from "@ton/sandbox";

const { now, wallets } = JSON.parse(readFileSync(0, "utf8"));
const chain = await Blockchain.create();
chain.now = now;
const treasury = await chain.treasury("treasury");

async function run(address, bag) {
  const before = (await chain.getContract(address)).accountState?.type;
  let result;
  try {
    result = await chain.sendMessage(loadMessage(Cell.fromBase64(bag).beginParse()));
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
  const first = result.transactions[0];
  const { description } = first;
  const { stackReader } = await chain.runGetMethod(address, "seqno");
  const sent = [];
  for (const message of first.outMessages.values()) {
    const { dest, value, bounce } = message.info;
    const target = (await chain.getContract(dest)).accountState?.type ?? "none";
    sent.push({ to: dest.toRawString(), value: String(value.coins), bounce, body: message.body.hash().toString("hex"), state: target });
  }
  return { before, exit_code: description.computePhase.exitCode, action_code: description.actionPhase?.resultCode, seqno: stackReader.readNumber(), sent };
}

const answers = [];
for (const { address, messages } of wallets) {
  const wallet = Address.parse(address);
  await treasury.send({ to: wallet, value: toNano(1000), bounce: false });
  const steps = [];
  for (const message of messages) steps.push(await run(wallet, message));
  answers.push(steps);
}
process.stdout.write(JSON.stringify(answers));
