// Makes solana_token_2022.json: instructions of Token-2022 for encrypted amounts, and batches, as its own client writes them.
// Run once: `npm install && node solana_token_2022.mjs > ../solana_token_2022.json` in this folder.

import { address, none, some } from "@solana/kit";
import * as token from "@solana-program/token-2022";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const base58 = (bytes) => {
  let number = BigInt("0x" + Buffer.from(bytes).toString("hex"));
  let text = "";
  for (; number; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  return text;
};
const key = (salt) => address(base58(Buffer.alloc(32, salt)));
const [us, account, mint, target, registry, other, elgamal] = [1, 2, 3, 4, 5, 6, 7].map(key);
const proofs = [8, 9, 10, 11, 12].map(key);
const decryptable = new Uint8Array(36).fill(1);
const encrypted = new Uint8Array(64).fill(2);
const instructionsSysvar = address("Sysvar1nstructions1111111111111111111111111");
const own = { token: account, authority: us };
const hidden = (name) => ({ [`${name}AuditorCiphertextLo`]: encrypted, [`${name}AuditorCiphertextHi`]: encrypted });
const byRecords = { equalityRecord: proofs[0], ciphertextValidityRecord: proofs[1], rangeRecord: proofs[2], equalityProofInstructionOffset: 0, ciphertextValidityProofInstructionOffset: 0, rangeProofInstructionOffset: 0 };
const byInstructions = { instructionsSysvar, equalityProofInstructionOffset: -3, ciphertextValidityProofInstructionOffset: -2, rangeProofInstructionOffset: -1 };
const mixed = { instructionsSysvar, equalityRecord: proofs[0], rangeRecord: proofs[2], equalityProofInstructionOffset: 0, ciphertextValidityProofInstructionOffset: 1, rangeProofInstructionOffset: 0 };
const moved = { sourceToken: account, mint, destinationToken: target, authority: us, newSourceDecryptableAvailableBalance: decryptable, ...hidden("transferAmount") };

const instructions = {
  initialize_confidential_transfer: token.getInitializeConfidentialTransferMintInstruction({ mint, authority: some(us), autoApproveNewAccounts: true, auditorElgamalPubkey: some(elgamal) }),
  initialize_confidential_transfer_without: token.getInitializeConfidentialTransferMintInstruction({ mint, authority: none(), autoApproveNewAccounts: false, auditorElgamalPubkey: none() }),
  update_confidential_transfer: token.getUpdateConfidentialTransferMintInstruction({ mint, authority: us, autoApproveNewAccounts: false, auditorElgamalPubkey: some(elgamal) }),
  configure_confidential_account: token.getConfigureConfidentialTransferAccountInstruction({ ...own, mint, instructionsSysvarOrContextState: proofs[0], decryptableZeroBalance: decryptable, maximumPendingBalanceCreditCounter: 65536n, proofInstructionOffset: 0 }),
  configure_confidential_account_with_registry: token.getConfigureConfidentialTransferAccountWithRegistryInstruction({ token: account, mint, elgamalRegistry: registry }),
  approve_confidential_account: token.getApproveConfidentialTransferAccountInstruction({ ...own, mint }),
  empty_confidential_account: token.getEmptyConfidentialTransferAccountInstruction({ ...own, instructionsSysvarOrContextState: instructionsSysvar, proofInstructionOffset: 1 }),
  confidential_deposit: token.getConfidentialDepositInstruction({ ...own, mint, amount: 7n, decimals: 2 }),
  confidential_withdraw: token.getConfidentialWithdrawInstruction({ ...own, mint, amount: 9n, decimals: 2, newDecryptableAvailableBalance: decryptable, equalityRecord: proofs[0], rangeRecord: proofs[1], equalityProofInstructionOffset: 0, rangeProofInstructionOffset: 0 }),
  confidential_transfer: token.getConfidentialTransferInstruction({ ...moved, ...byRecords }),
  confidential_transfer_by_instructions: token.getConfidentialTransferInstruction({ ...moved, ...byInstructions }),
  confidential_transfer_mixed: token.getConfidentialTransferInstruction({ ...moved, ...mixed }),
  confidential_transfer_with_fee: token.getConfidentialTransferWithFeeInstruction({
    ...moved,
    equalityRecord: proofs[0],
    transferAmountCiphertextValidityRecord: proofs[1],
    feeSigmaRecord: proofs[2],
    feeCiphertextValidityRecord: proofs[3],
    rangeRecord: proofs[4],
    equalityProofInstructionOffset: 0,
    transferAmountCiphertextValidityProofInstructionOffset: 0,
    feeSigmaProofInstructionOffset: 0,
    feeCiphertextValidityProofInstructionOffset: 0,
    rangeProofInstructionOffset: 0,
  }),
  apply_confidential_balance: token.getApplyConfidentialPendingBalanceInstruction({ ...own, expectedPendingBalanceCreditCounter: 3n, newDecryptableAvailableBalance: decryptable }),
  enable_confidential_credits: token.getEnableConfidentialCreditsInstruction(own),
  disable_confidential_credits: token.getDisableConfidentialCreditsInstruction(own),
  enable_non_confidential_credits: token.getEnableNonConfidentialCreditsInstruction(own),
  disable_non_confidential_credits: token.getDisableNonConfidentialCreditsInstruction(own),
  initialize_confidential_fee: token.getInitializeConfidentialTransferFeeInstruction({ mint, authority: some(us), withdrawWithheldAuthorityElGamalPubkey: elgamal }),
  withdraw_confidential_fees_from_mint: token.getWithdrawWithheldTokensFromMintForConfidentialTransferFeeInstruction({ mint, destination: target, instructionsSysvarOrContextState: proofs[0], authority: us, proofInstructionOffset: 0, newDecryptableAvailableBalance: decryptable }),
  withdraw_confidential_fees_from_accounts: token.getWithdrawWithheldTokensFromAccountsForConfidentialTransferFeeInstruction({ mint, destination: target, instructionsSysvarOrContextState: instructionsSysvar, authority: us, numTokenAccounts: 1, proofInstructionOffset: -1, newDecryptableAvailableBalance: decryptable, sources: [account] }),
  harvest_confidential_fees: token.getHarvestWithheldTokensToMintForConfidentialTransferFeeInstruction({ mint, sources: [account] }),
  enable_harvest_to_mint: token.getEnableHarvestToMintInstruction({ mint, authority: us }),
  disable_harvest_to_mint: token.getDisableHarvestToMintInstruction({ mint, authority: us }),
  initialize_confidential_mint_burn: token.getInitializeConfidentialMintBurnInstruction({ mint, supplyElgamalPubkey: elgamal, decryptableSupply: decryptable }),
  rotate_supply_key: token.getRotateSupplyElgamalPubkeyInstruction({ mint, authority: us, newSupplyElgamalPubkey: elgamal, instructionsSysvarOrContextState: proofs[0], proofInstructionOffset: 0 }),
  update_decryptable_supply: token.getUpdateConfidentialMintBurnDecryptableSupplyInstruction({ mint, authority: us, newDecryptableSupply: decryptable }),
  confidential_mint: token.getConfidentialMintInstruction({ token: target, mint, authority: us, newDecryptableSupply: decryptable, ...hidden("mintAmount"), ...byRecords }),
  confidential_burn: token.getConfidentialBurnInstruction({ ...own, mint, newDecryptableAvailableBalance: decryptable, ...hidden("burnAmount"), ...mixed }),
  apply_confidential_burn: token.getApplyConfidentialPendingBurnInstruction({ mint, authority: us }),
  permissioned_confidential_burn: token.getPermissionedConfidentialBurnInstruction({ ...own, mint, permissionedBurnAuthority: other, newDecryptableAvailableBalance: decryptable, ...hidden("burnAmount"), ...byInstructions }),
};

const inner = [
  token.getTransferCheckedInstruction({ source: account, mint, destination: target, authority: us, amount: 5n, decimals: 2 }),
  token.getSetAuthorityInstruction({ owned: account, owner: us, authorityType: token.AuthorityType.AccountOwner, newAuthority: some(other) }),
  token.getConfidentialTransferInstruction({ ...moved, ...byRecords }),
];
const data = token.getBatchInstructionDataEncoder().encode({ data: inner.map((each) => ({ numberOfAccounts: each.accounts.length, instructionData: each.data })) });
instructions.batch = { data, accounts: inner.flatMap((each) => each.accounts), programAddress: token.TOKEN_2022_PROGRAM_ADDRESS };

const rows = Object.entries(instructions).map(([name, each]) => ({
  name,
  program: each.programAddress,
  data: Buffer.from(each.data).toString("hex"),
  accounts: each.accounts.map((meta) => meta.address),
}));
process.stdout.write(JSON.stringify({ keys: { us, account, mint, target, registry, other, elgamal }, instructions: rows }, null, 1) + "\n");
