/**
 * KMS on loopback, as far as this service calls it: Encrypt, Decrypt and DescribeKey of one symmetric key, with real
 * AES-256-GCM and an authenticated encryption context, so a wrong context fails as in AWS. Sign and GetPublicKey of one
 * asymmetric key, with real ECDSA.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import canonicalize from 'canonicalize'
import { writePrivateFile } from './state.ts'

export const kmsPath = '/local/kms'
export const kmsKeyId = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001'
export const auditKeyId = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000002'

const maxPlaintextBytes = 4096
const ivBytes = 12
const tagBytes = 16

class KmsError extends Error {
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

interface KmsRequest {
  KeyId?: string
  Plaintext?: string
  CiphertextBlob?: string
  EncryptionContext?: Record<string, string>
  Message?: string
  MessageType?: string
  SigningAlgorithm?: string
}

/** A handler for requests to `kmsPath`, with keys stored in `keyFile` and `auditKeyFile`. */
export function createKms(keyFile?: string, auditKeyFile?: string) {
  const operations = { ...secretOperations(loadKey(keyFile)), ...auditOperations(loadAuditKey(auditKeyFile)) }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const headers = { 'content-type': 'application/x-amz-json-1.1' }
    try {
      const operation = operations[String(request.headers['x-amz-target'])]
      if (!operation) throw new KmsError('UnknownOperationException', 'this KMS double does not support that operation')
      const answer = operation(JSON.parse(Buffer.concat(chunks).toString('utf8')) as KmsRequest)
      response.writeHead(200, headers).end(JSON.stringify(answer))
    } catch (error) {
      const type = error instanceof KmsError ? error.type : 'KMSInternalException'
      response.writeHead(400, headers).end(JSON.stringify({ __type: type, message: String((error as Error).message) }))
    }
  }
}

type Operations = Record<string, (request: KmsRequest) => object>

const secretOperations = (key: Buffer): Operations => ({
  'TrentService.Encrypt': (request) => ({
    CiphertextBlob: encrypt(key, request),
    KeyId: kmsKeyId,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  }),
  'TrentService.Decrypt': (request) => ({
    Plaintext: decrypt(key, request),
    KeyId: kmsKeyId,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  }),
  'TrentService.DescribeKey': (request) => {
    requireKey(request)
    return { KeyMetadata: { KeyId: kmsKeyId.split('/')[1], Arn: kmsKeyId, Enabled: true, KeyState: 'Enabled' } }
  },
})

const auditOperations = (key: KeyObject): Operations => ({
  'TrentService.GetPublicKey': (request) => {
    requireKey(request, auditKeyId)
    const PublicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64')
    return { KeyId: auditKeyId, PublicKey, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', SigningAlgorithms }
  },
  'TrentService.Sign': (request) => ({
    KeyId: auditKeyId,
    Signature: signed(key, request),
    SigningAlgorithm: SigningAlgorithms[0],
  }),
})

function loadKey(keyFile: string | undefined): Buffer {
  if (keyFile && existsSync(keyFile)) return Buffer.from(readFileSync(keyFile, 'utf8'), 'base64')
  const key = randomBytes(32)
  if (keyFile) writePrivateFile(keyFile, key.toString('base64'))
  return key
}

function loadAuditKey(keyFile: string | undefined): KeyObject {
  if (keyFile && existsSync(keyFile)) return createPrivateKey(readFileSync(keyFile))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (keyFile) writePrivateFile(keyFile, String(privateKey.export({ format: 'pem', type: 'pkcs8' })))
  return privateKey
}

const SigningAlgorithms = ['ECDSA_SHA_256'] as const

function signed(key: KeyObject, request: KmsRequest): string {
  requireKey(request, auditKeyId)
  if (request.SigningAlgorithm !== SigningAlgorithms[0] || request.MessageType !== 'RAW') {
    throw new KmsError('ValidationException', 'this KMS double signs raw messages with ECDSA_SHA_256 only')
  }
  return sign('sha256', Buffer.from(request.Message ?? '', 'base64'), key).toString('base64')
}

function requireKey({ KeyId }: KmsRequest, expected = kmsKeyId): void {
  const [, id] = expected.split('/')
  if (KeyId !== expected && KeyId !== id) throw new KmsError('NotFoundException', `Key '${KeyId}' does not exist`)
}

const associatedData = ({ EncryptionContext = {} }: KmsRequest): Buffer =>
  Buffer.from(canonicalize(EncryptionContext) ?? '{}')

function encrypt(key: Buffer, request: KmsRequest): string {
  requireKey(request)
  const plaintext = Buffer.from(request.Plaintext ?? '', 'base64')
  if (plaintext.length === 0 || plaintext.length > maxPlaintextBytes) {
    throw new KmsError('ValidationException', `Plaintext must be 1 to ${maxPlaintextBytes} bytes`)
  }
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associatedData(request))
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString('base64')
}

function decrypt(key: Buffer, request: KmsRequest): string {
  if (request.KeyId !== undefined) requireKey(request)
  const blob = Buffer.from(request.CiphertextBlob ?? '', 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(0, ivBytes), { authTagLength: tagBytes })
      .setAAD(associatedData(request))
      .setAuthTag(blob.subarray(ivBytes, ivBytes + tagBytes))
    return Buffer.concat([decipher.update(blob.subarray(ivBytes + tagBytes)), decipher.final()]).toString('base64')
  } catch {
    throw new KmsError(
      'InvalidCiphertextException',
      'the ciphertext or its encryption context does not match the encryption',
    )
  }
}
