/**
 * Permissions of the deployed roles on the key for secrets: a role that encrypts cannot decrypt, and one that decrypts cannot
 * encrypt.
 */
import { strict as assert } from 'node:assert'
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { outputNames, stackName } from '../../lib/stage.ts'
import { clientOf, type Emulator } from './emulator.ts'

const EncryptionContext = { org_id: 'org_of_the_test', record_id: 'conn_of_the_test', purpose: 'cloud_connection' }

export async function proveKeyRoles(emulator: Emulator, stage: string): Promise<void> {
  const KeyId = await keyOf(emulator, stage)
  const [encrypter, decrypter] = await Promise.all([
    kmsOf(emulator, stage, 'CloudConnectionsCreate'),
    kmsOf(emulator, stage, 'CloudConnectionsTest'),
  ])
  const encrypt = (kms: KMSClient) =>
    kms.send(new EncryptCommand({ KeyId, EncryptionContext, Plaintext: Buffer.from('a secret') }))
  const decrypt = (kms: KMSClient, CiphertextBlob: Uint8Array | undefined) =>
    kms.send(new DecryptCommand({ KeyId, EncryptionContext, CiphertextBlob }))
  const { CiphertextBlob } = await encrypt(encrypter)
  const { Plaintext } = await decrypt(decrypter, CiphertextBlob)
  assert.equal(Buffer.from(Plaintext ?? []).toString(), 'a secret')
  const denied = { name: /^AccessDenied/ }
  await assert.rejects(decrypt(encrypter, CiphertextBlob), denied, 'a role that encrypts must not decrypt')
  await assert.rejects(encrypt(decrypter), denied, 'a role that decrypts must not encrypt')
}

async function keyOf(emulator: Emulator, stage: string): Promise<string | undefined> {
  const client = clientOf(CloudFormationClient, emulator)
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName(stage, 'Storage') }))
  return Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === outputNames.secretsKeyArn)?.OutputValue
}

/** KMS as the function of a cloud connection's operation calls it. */
async function kmsOf(emulator: Emulator, stage: string, construct: string): Promise<KMSClient> {
  const StackName = stackName(stage, 'Functions')
  const resources = await clientOf(CloudFormationClient, emulator).send(
    new DescribeStackResourcesCommand({ StackName }),
  )
  const role = resources.StackResources?.find(
    ({ ResourceType, LogicalResourceId }) =>
      ResourceType === 'AWS::IAM::Role' && LogicalResourceId?.startsWith(`${construct}Role`),
  )
  assert.ok(role, `no role of ${construct}`)
  const RoleArn = `arn:aws:iam::000000000000:role/${role.PhysicalResourceId}`
  const assumed = await clientOf(STSClient, emulator).send(
    new AssumeRoleCommand({ RoleArn, RoleSessionName: 'deploy-test' }),
  )
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = assumed.Credentials ?? {}
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken }
  return new KMSClient({ endpoint: emulator.endpoint, region: 'us-east-1', credentials })
}
