// Adds to solana.json the transactions and messages listed here, made with @solana/web3.js, @solana/spl-token and @solana/kit; what is there
// under the same name is replaced. Run once: `npm install && node solana.mjs` in this folder.
import { readFileSync, writeFileSync } from "node:fs";
import * as kit from "@solana/kit";
import * as spl from "@solana/spl-token";
import { Keypair, PublicKey, SystemProgram, TransactionInstruction, TransactionMessage, VersionedTransaction } from "@solana/web3.js";

const FILE = new URL("../solana.json", import.meta.url);
const vectors = JSON.parse(readFileSync(FILE));
const us = Keypair.fromSeed(Buffer.from(vectors.accounts[0].private_key, "hex"));
const other = Keypair.fromSeed(Buffer.from(vectors.accounts[1].private_key, "hex"));
const at = (number) => new PublicKey(Buffer.alloc(32, number));
const [mint, source, target, delegate, hook] = [20, 21, 22, 24, 27].map(at);
const TOKEN_2022 = spl.TOKEN_2022_PROGRAM_ID;

function transaction(name, instructions) {
  const message = new TransactionMessage({ payerKey: us.publicKey, recentBlockhash: at(9).toBase58(), instructions }).compileToLegacyMessage();
  const signed = new VersionedTransaction(message);
  const unsigned_tx = Buffer.from(signed.serialize()).toString("hex");
  signed.sign([us]);
  const raw = Buffer.from(signed.serialize());
  const tx_id = kit.getBase58Decoder().decode(signed.signatures[0]);
  return { name, version: "legacy", unsigned_tx, message: Buffer.from(message.serialize()).toString("hex"), signed_tx: raw.toString("hex"), tx_id };
}

const system = (data, keys) =>
  new TransactionInstruction({ programId: SystemProgram.programId, data, keys: keys.map((pubkey) => ({ pubkey, isSigner: pubkey === us.publicKey, isWritable: true })) });
const prefund = (lamports) => Buffer.concat([Buffer.from([13, 0, 0, 0]), Buffer.from(new BigUint64Array([lamports, 10n]).buffer), at(81).toBuffer()]);
const cases = {
  allocate_with_seed: [SystemProgram.allocate({ accountPubkey: at(3), basePubkey: us.publicKey, seed: "seed", space: 10, programId: at(81) })],
  upgrade_nonce: [system(Buffer.from([12, 0, 0, 0]), [at(4)])],
  create_account_prefunded: [system(prefund(0n), [at(3)])],
  create_account_allow_prefund: [system(prefund(5n), [at(3), us.publicKey])],
  nonce_advance_later: [
    SystemProgram.transfer({ fromPubkey: us.publicKey, toPubkey: at(1), lamports: 1 }),
    SystemProgram.nonceAdvance({ noncePubkey: at(4), authorizedPubkey: us.publicKey }),
  ],
  token_initialize_mint: [spl.createInitializeMintInstruction(mint, 6, us.publicKey, delegate)],
  token_initialize_mint_2: [spl.createInitializeMint2Instruction(mint, 6, us.publicKey, null)],
  token_initialize_multisig: [spl.createInitializeMultisigInstruction(source, [us.publicKey, delegate], 1)],
  token_freeze: [spl.createFreezeAccountInstruction(source, mint, us.publicKey)],
  token_thaw: [spl.createThawAccountInstruction(source, mint, us.publicKey)],
  token_sync_native: [spl.createSyncNativeInstruction(source)],
  token_immutable_owner: [spl.createInitializeImmutableOwnerInstruction(source, spl.TOKEN_PROGRAM_ID)],
  token_amount_to_ui_amount: [spl.createAmountToUiAmountInstruction(mint, 5n)],
  token_ui_amount_to_amount: [spl.createUiAmountToAmountInstruction(mint, "1.5")],
  unknown_instruction: [new TransactionInstruction({ programId: spl.TOKEN_PROGRAM_ID, data: Buffer.from([99]), keys: [] })],
  recover_nested: [spl.createRecoverNestedInstruction(at(30), at(31), at(32), at(33), at(34), us.publicKey)],
  t22_close_authority: [spl.createInitializeMintCloseAuthorityInstruction(mint, us.publicKey, TOKEN_2022)],
  t22_no_close_authority: [spl.createInitializeMintCloseAuthorityInstruction(mint, null, TOKEN_2022)],
  t22_permanent_delegate: [spl.createInitializePermanentDelegateInstruction(mint, delegate, TOKEN_2022)],
  t22_non_transferable: [spl.createInitializeNonTransferableMintInstruction(mint, TOKEN_2022)],
  t22_native_mint: [spl.createCreateNativeMintInstruction(us.publicKey)],
  t22_reallocate: [spl.createReallocateInstruction(source, us.publicKey, [spl.ExtensionType.MemoTransfer, spl.ExtensionType.CpiGuard], us.publicKey)],
  t22_initialize_fee: [spl.createInitializeTransferFeeConfigInstruction(mint, us.publicKey, null, 125, 9000n, TOKEN_2022)],
  t22_set_fee: [spl.createSetTransferFeeInstruction(mint, us.publicKey, [], 50, 100n, TOKEN_2022)],
  t22_withdraw_from_mint: [spl.createWithdrawWithheldTokensFromMintInstruction(mint, target, us.publicKey, [], TOKEN_2022)],
  t22_withdraw_from_accounts: [spl.createWithdrawWithheldTokensFromAccountsInstruction(mint, target, us.publicKey, [], [source], TOKEN_2022)],
  t22_harvest: [spl.createHarvestWithheldTokensToMintInstruction(mint, [source], TOKEN_2022)],
  t22_default_state: [spl.createInitializeDefaultAccountStateInstruction(mint, spl.AccountState.Frozen, TOKEN_2022)],
  t22_update_state: [spl.createUpdateDefaultAccountStateInstruction(mint, spl.AccountState.Initialized, us.publicKey, [], TOKEN_2022)],
  t22_require_memo: [spl.createEnableRequiredMemoTransfersInstruction(source, us.publicKey)],
  t22_no_memo: [spl.createDisableRequiredMemoTransfersInstruction(source, us.publicKey)],
  t22_cpi_guard: [spl.createEnableCpiGuardInstruction(source, us.publicKey)],
  t22_no_cpi_guard: [spl.createDisableCpiGuardInstruction(source, us.publicKey)],
  t22_interest: [spl.createInitializeInterestBearingMintInstruction(mint, us.publicKey, -300)],
  t22_set_interest: [spl.createUpdateRateInterestBearingMintInstruction(mint, us.publicKey, 5)],
  t22_hook: [spl.createInitializeTransferHookInstruction(mint, us.publicKey, hook, TOKEN_2022)],
  t22_update_hook: [spl.createUpdateTransferHookInstruction(mint, us.publicKey, hook, [], TOKEN_2022)],
  t22_metadata_pointer: [spl.createInitializeMetadataPointerInstruction(mint, us.publicKey, at(28), TOKEN_2022)],
  t22_update_metadata_pointer: [spl.createUpdateMetadataPointerInstruction(mint, us.publicKey, null)],
  t22_group_pointer: [spl.createInitializeGroupPointerInstruction(mint, us.publicKey, at(28), TOKEN_2022)],
  t22_member_pointer: [spl.createUpdateGroupMemberPointerInstruction(mint, us.publicKey, at(28))],
  t22_multiplier: [spl.createInitializeScaledUiAmountConfigInstruction(mint, us.publicKey, 1.5)],
  t22_set_multiplier: [spl.createUpdateMultiplierDataInstruction(mint, us.publicKey, 2, 1800000000n)],
  t22_pausable: [spl.createInitializePausableConfigInstruction(mint, us.publicKey)],
  t22_pause: [spl.createPauseInstruction(mint, us.publicKey)],
  t22_resume: [spl.createResumeInstruction(mint, us.publicKey)],
};
const made = Object.entries(cases).map(([name, instructions]) => transaction(name, instructions));
const names = new Set(made.map((each) => each.name));
vectors.transactions = [...vectors.transactions.filter((each) => !names.has(each.name)), ...made];

const [ours, theirs] = vectors.accounts.slice(0, 2).map((each) => kit.address(each.address));
const domain = kit.address(at(7).toBase58());
const { OffchainMessageContentFormat: format } = kit;
const v0 = (text, contentFormat, signers) => ({ version: 0, applicationDomain: domain, content: { format: contentFormat, text }, requiredSignatories: signers.map((address) => ({ address })) });
const v1 = (content, signers) => ({ version: 1, content, requiredSignatories: signers.map((address) => ({ address })) });
const keyPair = await kit.createKeyPairFromPrivateKeyBytes(Buffer.from(vectors.accounts[0].private_key, "hex"));
async function message(name, value) {
  const compile = value.version === 0 ? kit.compileOffchainMessageV0Envelope : kit.compileOffchainMessageV1Envelope;
  const envelope = await kit.partiallySignOffchainMessageEnvelope([keyPair], compile(value));
  const text = value.version === 0 ? value.content.text : value.content;
  return { name, version: value.version, text, message: Buffer.from(envelope.content).toString("hex"), signature: Buffer.from(envelope.signatures[ours]).toString("hex") };
}
vectors.messages = [
  await message("v0_ascii", v0("Hello world", format.RESTRICTED_ASCII_1232_BYTES_MAX, [ours])),
  await message("v0_utf8", v0("Привет\nworld", format.UTF8_1232_BYTES_MAX, [ours])),
  await message("v0_long", v0("ю".repeat(2000), format.UTF8_65535_BYTES_MAX, [ours])),
  await message("v0_two_signers", v0("Both of us", format.RESTRICTED_ASCII_1232_BYTES_MAX, [theirs, ours])),
  await message("v1", v1("Hello, Привет", [ours])),
  await message("v1_two_signers", v1("Both of us", [ours, theirs])),
];
writeFileSync(FILE, JSON.stringify(vectors, null, 1) + "\n");
