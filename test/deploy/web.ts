/** Checks that the web distribution serves the published files to the page of the deployed function. */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { stackName } from '../../lib/stage.ts'
import { webUrlOutput } from '../../lib/web-outputs.ts'
import { notFoundPage, webSite } from '../../lib/web-site.ts'
import { httpTo, type Target } from '../http/target.ts'
import type { StackOutputs } from './cognito.ts'

export async function proveWeb(target: Target, stage: string, outputs: StackOutputs): Promise<void> {
  const webUrl = outputs[stackName(stage, 'Web')]?.[webUrlOutput] ?? ''
  const page = await httpTo(target, 'GET', '/api/v1/docs')
  const [, script = '', integrity = ''] = /<script src="([^"]+)" integrity="([^"]+)" crossorigin/.exec(page.text) ?? []
  assert.equal(script, `${webUrl}/${webSite().reference.path}`)

  const web = { url: target.url, host: new URL(webUrl).host }
  // The emulator takes the scheme of a viewer from this header.
  const https = { 'x-forwarded-proto': 'https' }
  const asset = await httpTo(web, 'GET', new URL(script).pathname, {
    headers: { ...https, origin: 'https://any.example' },
  })
  assert.equal(asset.status, 200)
  assert.equal(`sha384-${createHash('sha384').update(asset.text).digest('base64')}`, integrity)
  assert.match(asset.headers['content-type'] ?? '', /^(text|application)\/javascript/)
  assert.match(asset.headers['cache-control'] ?? '', /immutable/)
  assert.equal(asset.headers['access-control-allow-origin'], '*')

  const missing = await httpTo(web, 'GET', '/assets/missing.js', { headers: https })
  assert.equal(missing.status, 404)
  assert.equal(missing.text, webSite().files.get(notFoundPage)?.toString())
  assert.match(missing.headers['content-security-policy'] ?? '', /frame-ancestors 'none'/)
  assert.equal((await httpTo(web, 'GET', '/assets/missing.js')).status, 301, 'plain HTTP is redirected')
  console.log(`${script}: ${asset.text.length} characters, integrity checked`)
}
