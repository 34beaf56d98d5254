// Makes evm_messages.json. Run once: `npm install && node evm_messages.mjs > ../evm_messages.json` in this folder.
// The account is the first one of evm.json: it holds no money, its phrase is published.
import { signTypedData, SignTypedDataVersion } from '@metamask/eth-sig-util'
import { hashMessage, hashTypedData } from 'viem'
import { entryPoint06Address, entryPoint07Address, getUserOperationHash } from 'viem/account-abstraction'
import { privateKeyToAccount } from 'viem/accounts'
import { hashAuthorization } from 'viem/utils'

const key = '0x1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727'
const account = privateKeyToAccount(key)
const [A, B, C] = ['11', '22', '33'].map((digits) => '0x' + digits.repeat(20))
const word = '0x' + '44'.repeat(32)

const members = (text) =>
  text.split(',').map((each) => {
    const [type, name] = each.split(' ')
    return { name, type }
  })
const domainMembers = { name: 'string', version: 'string', chainId: 'uint256', verifyingContract: 'address', salt: 'bytes32' }
const typed = (types, message, domain = { name: 'Token', version: '1', chainId: 1, verifyingContract: C }) => ({
  types: {
    EIP712Domain: Object.keys(domain).map((name) => ({ name, type: domainMembers[name] })),
    ...Object.fromEntries(Object.entries(types).map(([name, text]) => [name, members(text)])),
  },
  primaryType: Object.keys(types)[0],
  domain,
  message,
})

const details = 'address token,uint160 amount,uint48 expiration,uint48 nonce'
const permissions = 'address token,uint256 amount'
const item = 'uint8 itemType,address token,uint256 identifierOrCriteria,uint256 startAmount,uint256 endAmount'
const transferred = 'address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce'
const allowance = (token, amount) => ({ token, amount, expiration: 2000000000, nonce: 0 })
const transfer = '0xa9059cbb' + B.slice(2).padStart(64, '0') + (5).toString(16).padStart(64, '0')
const max = String(2n ** 256n - 1n)
const offered = (itemType, token, amount) => ({ itemType, token, identifierOrCriteria: '7', startAmount: amount, endAmount: amount })

const typedData = {
  permit: typed(
    { Permit: 'address owner,address spender,uint256 value,uint256 nonce,uint256 deadline' },
    { owner: account.address, spender: B, value: max, nonce: 0, deadline: 2000000000 },
  ),
  permit_of_another: typed(
    { Permit: 'address owner,address spender,uint256 value,uint256 nonce,uint256 deadline' },
    { owner: A, spender: B, value: 5, nonce: 0, deadline: max },
  ),
  dai_permit: typed(
    { Permit: 'address holder,address spender,uint256 nonce,uint256 expiry,bool allowed' },
    { holder: account.address, spender: B, nonce: 0, expiry: 0, allowed: true },
  ),
  nft_permit: typed(
    { Permit: 'address spender,uint256 tokenId,uint256 nonce,uint256 deadline' },
    { spender: B, tokenId: 7, nonce: 0, deadline: 2000000000 },
  ),
  permit2_single: typed(
    { PermitSingle: 'PermitDetails details,address spender,uint256 sigDeadline', PermitDetails: details },
    { details: allowance(A, '5'), spender: B, sigDeadline: 2000000000 },
    { name: 'Permit2', chainId: 1, verifyingContract: C },
  ),
  permit2_batch: typed(
    { PermitBatch: 'PermitDetails[] details,address spender,uint256 sigDeadline', PermitDetails: details },
    { details: [allowance(A, '5'), allowance(C, String(2n ** 160n - 1n))], spender: B, sigDeadline: 2000000000 },
    { name: 'Permit2', chainId: 1, verifyingContract: C },
  ),
  permit2_transfer: typed(
    {
      PermitTransferFrom: 'TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline',
      TokenPermissions: permissions,
    },
    { permitted: { token: A, amount: 5 }, spender: B, nonce: 0, deadline: 2000000000 },
  ),
  permit2_transfers: typed(
    {
      PermitBatchTransferFrom: 'TokenPermissions[] permitted,address spender,uint256 nonce,uint256 deadline',
      TokenPermissions: permissions,
    },
    { permitted: [{ token: A, amount: 5 }], spender: B, nonce: 0, deadline: 2000000000 },
  ),
  permit2_witness: typed(
    {
      PermitWitnessTransferFrom: 'TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Order witness',
      TokenPermissions: permissions,
      Order: 'address reactor,uint256[] amounts',
    },
    { permitted: { token: A, amount: 5 }, spender: B, nonce: 0, deadline: 2000000000, witness: { reactor: C, amounts: [1, 2] } },
  ),
  transfer_with_authorization: typed(
    { TransferWithAuthorization: transferred },
    { from: account.address, to: B, value: 5, validAfter: 0, validBefore: 2000000000, nonce: word },
  ),
  seaport: typed(
    {
      OrderComponents:
        'address offerer,address zone,OfferItem[] offer,ConsiderationItem[] consideration,uint8 orderType,uint256 startTime,' +
        'uint256 endTime,bytes32 zoneHash,uint256 salt,bytes32 conduitKey,uint256 counter',
      OfferItem: item,
      ConsiderationItem: item + ',address recipient',
    },
    {
      offerer: account.address,
      zone: C,
      offer: [offered(2, A, '1')],
      consideration: [
        { ...offered(0, '0x' + '00'.repeat(20), '1000'), recipient: account.address },
        { ...offered(1, A, '25'), endAmount: '20', recipient: account.address },
        { ...offered(0, '0x' + '00'.repeat(20), '25'), recipient: B },
      ],
      orderType: 0,
      startTime: 1,
      endTime: 2000000000,
      zoneHash: word,
      salt: 9,
      conduitKey: word,
      counter: 0,
    },
  ),
  cow: typed(
    {
      Order:
        'address sellToken,address buyToken,address receiver,uint256 sellAmount,uint256 buyAmount,uint32 validTo,bytes32 appData,' +
        'uint256 feeAmount,string kind,bool partiallyFillable,string sellTokenBalance,string buyTokenBalance',
    },
    {
      sellToken: A,
      buyToken: B,
      receiver: C,
      sellAmount: 90,
      buyAmount: 50,
      validTo: 2000000000,
      appData: word,
      feeAmount: 10,
      kind: 'sell',
      partiallyFillable: false,
      sellTokenBalance: 'erc20',
      buyTokenBalance: 'erc20',
    },
  ),
  one_inch_for_nothing: typed(
    {
      Order:
        'uint256 salt,address maker,address receiver,address makerAsset,address takerAsset,uint256 makingAmount,uint256 takingAmount,' +
        'uint256 makerTraits',
    },
    {
      salt: 1,
      maker: account.address,
      receiver: B,
      makerAsset: A,
      takerAsset: B,
      makingAmount: 5,
      takingAmount: 0,
      makerTraits: String(2000000000n << 80n),
    },
  ),
  safe: typed(
    {
      SafeTx:
        'address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,' +
        'address refundReceiver,uint256 nonce',
    },
    {
      to: A,
      value: 3,
      data: transfer,
      operation: 0,
      safeTxGas: 0,
      baseGas: 0,
      gasPrice: 0,
      gasToken: C,
      refundReceiver: C,
      nonce: 12,
    },
    { chainId: 1, verifyingContract: C },
  ),
  user_operation_v08: typed(
    {
      PackedUserOperation:
        'address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,uint256 preVerificationGas,' +
        'bytes32 gasFees,bytes paymasterAndData',
    },
    {
      sender: A,
      nonce: 1,
      initCode: '0x',
      callData: '0x',
      accountGasLimits: word,
      preVerificationGas: 5,
      gasFees: word,
      paymasterAndData: '0x',
    },
    { name: 'ERC4337', version: '1', chainId: 1, verifyingContract: C },
  ),
  unknown_with_salt: typed(
    { Vote: 'int8 support,bool[2] flags,string[][] reasons,bytes4 selector,Voter voter', Voter: 'address account,Voter[] delegates' },
    {
      support: -1,
      flags: [true, false],
      reasons: [['a', 'b'], []],
      selector: '0xdeadbeef',
      voter: { account: A, delegates: [{ account: B, delegates: [] }] },
    },
    { name: 'Gov', version: '2', salt: word },
  ),
}

const signTyped = (data) => signTypedData({ privateKey: Buffer.from(key.slice(2), 'hex'), data, version: SignTypedDataVersion.V4 })
const typedVectors = []
for (const [name, typed_data] of Object.entries(typedData)) {
  const signature = signTyped(typed_data)
  if (signature !== (await account.signTypedData(typed_data))) throw new Error(`viem and eth-sig-util differ on ${name}`)
  typedVectors.push({ name, digest: hashTypedData(typed_data), signature, typed_data })
}

const messages = []
for (const message_hex of ['0x68656c6c6f', '0x' + '00ff'.repeat(100), '0x' + Buffer.from('\u20ac and more').toString('hex')])
  messages.push({
    message_hex,
    digest: hashMessage({ raw: message_hex }),
    signature: await account.signMessage({ message: { raw: message_hex } }),
  })

const authorizations = []
for (const [chainId, address, nonce] of [[1, A, 0], [0, A, 7], [1, '0x' + '00'.repeat(20), 128]]) {
  const signed = await account.signAuthorization({ chainId, contractAddress: address, nonce })
  const signature = signed.r + signed.s.slice(2) + signed.yParity.toString(16).padStart(2, '0')
  authorizations.push({
    digest: hashAuthorization({ chainId, address, nonce }),
    signature,
    typed_data: { standard: 'eip-7702', chainId, address, nonce },
  })
}

const shared = {
  sender: A,
  nonce: 1n,
  callData: '0xb61d27f6' + B.slice(2).padStart(64, '0') + (5).toString(16).padStart(64, '0') + (96).toString(16).padStart(64, '0') + '0'.repeat(64),
  callGasLimit: 100n,
  verificationGasLimit: 200n,
  preVerificationGas: 300n,
  maxFeePerGas: 20n,
  maxPriorityFeePerGas: 10n,
}
const paymaster = { paymaster: C, paymasterVerificationGasLimit: 40n, paymasterPostOpGasLimit: 50n, paymasterData: '0xabcd' }
const operations = [
  ['0.6', { ...shared, initCode: '0x', paymasterAndData: '0x' }],
  ['0.6', { ...shared, initCode: B + 'aabb', paymasterAndData: C + 'cc', callData: '0x' }],
  ['0.7', { ...shared }],
  ['0.7', { ...shared, factory: B, factoryData: '0xaabb' }],
  ['0.7', { ...shared, ...paymaster }],
]
const userOperations = []
for (const [version, userOperation] of operations) {
  const entryPoint = version === '0.6' ? entryPoint06Address : entryPoint07Address
  const hash = getUserOperationHash({
    chainId: 1,
    entryPointAddress: entryPoint,
    entryPointVersion: version,
    userOperation: { ...userOperation, signature: '0x' },
  })
  const fields = Object.fromEntries(Object.entries(userOperation).map(([name, each]) => [name, typeof each === 'bigint' ? Number(each) : each]))
  userOperations.push({
    hash,
    signature: await account.signMessage({ message: { raw: hash } }),
    typed_data: { standard: 'erc-4337', version, entryPoint, userOperation: fields },
  })
}

console.log(JSON.stringify({ address: account.address, messages, typed_data: typedVectors, authorizations, user_operations: userOperations }, null, 1))
