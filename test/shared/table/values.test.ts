import { createHash, createHmac } from 'node:crypto'
import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Sha256 } from '../../../shared/runtime/sha256.ts'
import { table, wireTable } from '../../../shared/table/client.ts'
import { queryRange } from '../../../shared/table/query.ts'
import { getRow, getRows } from '../../../shared/table/read.ts'
import { rowOf, type WireRow } from '../../../shared/table/values.ts'

const TableName = process.env.TABLE_NAME
const key = { pk: 'VALUES', sk: 'row' }
const row = {
  ...key,
  text: 'ü\u0000"',
  numbers: [0, -1.5, 9_007_199_254_740_991, 1e-7],
  flags: { on: true, off: false, none: null },
  nested: { list: [{ deep: [[]] }], constructor: 'x' },
  set: new Set(['a', 'b']),
  bytes: new Uint8Array([0, 255, 128]),
  buffer: Buffer.from('secret'),
}

test('rows are read as they were written, whichever client writes and reads them', async () => {
  await table().send(new PutCommand({ TableName, Item: row }))
  const expected = { ...row, bytes: Buffer.from(row.bytes) }
  expect(await getRow(key)).toEqual(expected)
  expect(await getRows([key])).toEqual([expected])
  expect(await queryRange(key.pk, 'a', 'z')).toEqual([expected])
  const { Item } = await table().send(new GetCommand({ TableName, Key: key }))
  expect({ ...Item, bytes: Buffer.from(Item?.bytes), buffer: Buffer.from(Item?.buffer) }).toEqual(expected)
  await wireTable().send(
    new PutItemCommand({ TableName, Item: marshall({ ...row, sk: 'other' }, { convertClassInstanceToMap: true }) }),
  )
  expect(await getRow({ ...key, sk: 'other' })).toEqual({ ...expected, sk: 'other' })
})

test('any JSON keeps its value, a member named __proto__ among them', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (value) => {
      // The SDK's marshall loses a member named __proto__; a row that has one is read below.
      fc.pre(!/[eE]\+?[23]\d|__proto__/.test(JSON.stringify(value)))
      let wire: WireRow
      try {
        wire = marshall({ value })
      } catch {
        return
      }
      expect(rowOf(JSON.parse(JSON.stringify(wire)))).toEqual({ value: JSON.parse(JSON.stringify(value)) })
    }),
  )
  const hidden = JSON.parse('{ "value": { "M": { "__proto__": { "S": "x" } } } }')
  expect(Object.entries(rowOf(hidden).value as object)).toEqual([['__proto__', 'x']])
})

test('a number that JavaScript would round, and an unknown type, are errors', () => {
  expect(() => rowOf({ n: { N: '9007199254740993' } })).toThrow(RangeError)
  expect(() => rowOf({ n: { NS: ['1'] } })).toThrow(TypeError)
})

test('the hash of the signer is SHA-256, and HMAC with a secret', async () => {
  const data = Buffer.from('some text')
  for (const secret of ['secret', Buffer.from('bytes'), new Uint8Array([1, 2]).buffer]) {
    for (let round = 0; round < 2; round++) {
      const hmac = new Sha256(secret)
      hmac.update(data)
      const given = typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array)
      expect(Buffer.from(await hmac.digest())).toEqual(createHmac('sha256', given).update(data).digest())
    }
  }
  const hash = new Sha256()
  hash.update(Buffer.from('lost'))
  hash.reset()
  hash.update(data)
  expect(Buffer.from(await hash.digest())).toEqual(createHash('sha256').update(data).digest())
})
