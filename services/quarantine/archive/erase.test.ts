/** Erasure and verification, on what quarantine has stored and people have copied. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createPublicKey, verify as isSigned } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import { runMailweir } from '#lib/testing/mailweir.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { parseAccounts } from '../imap/accounts.ts'
import { quarantineGroup } from '../service.ts'
import { erase } from './erase.ts'
import { verify } from './verify.ts'

const mail = (from: string, subject: string): string =>
  `From: ${from}\r\nSubject: ${subject}\r\n\r\nHello ${subject}\r\n`

describe('one person’s mail', { timeout: 60_000 }, () => {
  it('goes from segments, holds and folders; others’ stays where it can be read', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(mail('a@b.example', 'one'), mail('Gone@Person.example', 'two'), mail('c@d.example', 'three'))
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    await session.ask('COPY 1:3 Hold')
    await until('the commit', async () =>
      (await ports.log.admin.committed(quarantineGroup, 'mail.classified')).some(({ offset }) => (offset ?? 0n) >= 3n),
    )
    const address = 'gone@person.example'
    await ports.objects.put('samples/m1.eml', Buffer.from(mail('Gone@Person.example', 'two')))
    await ports.objects.put('samples/m1-1.json', Buffer.from('{}'))
    await ports.objects.put('samples/m0.eml', Buffer.from(mail('a@b.example', 'one')))
    const planned = await erase(ports, { address, dryRun: true })
    assert.deepEqual([planned.messages, planned.segmentsRewritten, planned.busy], [['m1'], 1, []])
    const done = await erase(ports, { address, dryRun: false })
    assert.deepEqual(done, planned)
    assert.deepEqual((await erase(ports, { address, dryRun: false })).messages, [])
    assert.match(await session.ask('NOOP'), /\* 2 EXPUNGE/)
    const left = await session.ask('FETCH 1:* (BODY.PEEK[])')
    assert.ok(left.includes('Hello one') && left.includes('Hello three') && !left.includes('Hello two'), left)
    assert.match(await session.ask('SELECT Hold'), /\* 2 EXISTS/)
    assert.deepEqual(
      (await ports.objects.list('samples/', { limit: 10 })).map(({ key }) => key),
      ['samples/m0.eml'],
    )
    for (const prefix of ['quarantine/', 'hold/']) {
      for (const { key } of await ports.objects.list(prefix, { limit: 100 })) {
        const bytes = (await ports.objects.get(key)) ?? Buffer.alloc(0)
        assert.ok(!bytes.toString('latin1').toLowerCase().includes('person.example'), key)
      }
    }
    assert.ok(
      (await ports.decoded('mail.events', 'event')).some(
        ({ type, messageId }) => type === 'erased' && messageId === 'm1',
      ),
    )
    assert.deepEqual(await verify(ports, { share: 1, now: 0 }, () => assert.fail('a fault')), {
      known: 2,
      checked: 2,
      faults: 0,
    })
  })

  it('is found faulty where the store has other bytes, or none', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(mail('a@b.example', 'one'))
    const [object] = await ports.objects.list('quarantine/', { limit: 1 })
    const bytes = (await ports.objects.get(object?.key ?? '')) ?? Buffer.alloc(0)
    const broken = Buffer.from(bytes)
    broken[bytes.length - 40] = (broken[bytes.length - 40] ?? 0) ^ 1
    await ports.objects.remove(object?.key ?? '')
    const faults: string[] = []
    const look = (): Promise<unknown> => verify(ports, { share: 1, now: 0 }, ({ fault }) => faults.push(fault))
    await look()
    await ports.objects.put(object?.key ?? '', broken)
    await look()
    assert.deepEqual(faults, ['missing', 'corrupt'])
  })

  it('is erased from the command line, with a record that bears a signature', async () => {
    using folder = temporaryFolder()
    const environment = { DATA_DIR: folder.path, LOG_LEVEL: 'error' }
    await runMailweir(['topics'], environment)
    const { code, stdout } = await runMailweir(['erase', '--address', 'a@b.example'], environment)
    assert.equal(code, 0, stdout)
    const { publicKey, signature, ...record } = JSON.parse(stdout)
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
    assert.ok(isSigned(null, Buffer.from(JSON.stringify(record)), key, Buffer.from(signature, 'base64')))
    assert.ok(!stdout.includes('a@b.example'))
    assert.equal(
      (await runMailweir(['quarantine', 'verify'], environment)).stdout,
      '{"known":0,"checked":0,"faults":0}\n',
    )
    assert.notEqual((await runMailweir(['erase', '--address', 'nobody'], environment)).code, 0)
  })
})

describe('who may read', { timeout: 60_000 }, () => {
  it('is added to the file of accounts by a command', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'accounts')
    const add = (name: string): Promise<number | null> =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          [
            join(import.meta.dirname, '..', '..', '..', 'mailweir.ts'),
            'imap',
            'user',
            'add',
            name,
            '--read-only',
            '--tops',
            'Bounces',
            '--file',
            file,
          ],
          { stdio: ['pipe', 'ignore', 'ignore'] },
        )
        child.stdin.end('a long password\n')
        child.once('close', resolve)
      })
    assert.equal(await add('anna'), 0)
    assert.notEqual(await add('anna'), 0)
    const { accounts, problems } = parseAccounts(readFileSync(file, 'utf8'))
    assert.deepEqual(problems, [])
    assert.deepEqual(
      accounts.map(({ name, readOnly, tops }) => ({ name, readOnly, tops })),
      [{ name: 'anna', readOnly: true, tops: ['Bounces'] }],
    )
    assert.match(parseAccounts('x y\n').problems[0] ?? '', /line 1/)
  })

  it('is told by a token of the issuer, and by no other', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256')
    const other = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { jwks_uri: `${issuer}/keys` }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const token = (key: typeof privateKey, audience: string): Promise<string> =>
      new SignJWT({ email: 'anna@corp.example', mailweir_tops: 'Unknown' })
        .setProtectedHeader({ alg: 'RS256', kid: 'k' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('1m')
        .sign(key)
    try {
      await using ports = await openTestPorts()
      await using facade = await startFacade(ports, { IMAP_OIDC_ISSUER: issuer })
      using session = await facade.open(false)
      const login = async (bearer: string): Promise<string> =>
        Buffer.from(`n,a=anna@corp.example,\x01auth=Bearer ${bearer}\x01\x01`).toString('base64')
      session.say(`a AUTHENTICATE OAUTHBEARER ${await login(await token(other.privateKey, 'mailweir'))}\r\n`)
      await session.hear(/^\+ /)
      session.say('AQ==\r\n')
      assert.match(await session.hear(/^a /), /a NO \[AUTHENTICATIONFAILED\]/)
      assert.match(
        await session.ask(`AUTHENTICATE OAUTHBEARER ${await login(await token(privateKey, 'mailweir'))}`),
        /OK/,
      )
      assert.match(await session.ask('LIST "" %'), /INBOX/)
    } finally {
      server.close()
    }
  })
})
