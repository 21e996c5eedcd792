/** The page in a real browser: every page, at the width of a desk and of a phone, checked by axe; mail made to attack it; its flows. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { type Legacy, startLegacy } from '#lib/testing/legacy.ts'
import { listenSettings, type Ports, type Running, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { testMessages } from '#lib/testing/messages.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ledgerOf } from './flow.ts'

const browserPath = '/usr/bin/chromium'
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Where pictures of the pages go; absent: nowhere. */
const pictures = process.env['PAGE_PICTURES']
const widths = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const

const [plain] = testMessages(1)
const attack = (content: string) => ({ ...(plain as NonNullable<typeof plain>), content: Buffer.from(content) })
const attacks = [
  'Subject: <img src=x onerror=alert(1)>\r\nFrom: a@remote.example\r\n\r\n<script>alert(2)</script>\r\n',
  'From: MAILER-DAEMON@"><script>alert(3)</script>.example\r\nSubject: Undelivered Mail\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; hurt@victim.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <svg onload=alert(4)> user unknown\r\n\r\n--b--\r\n',
  'Subject: with html\r\nFrom: a@remote.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<h2>Seen</h2><script>top.hurt = 1; alert(8)</script><img src=http://127.0.0.1:1/spy onerror=alert(9)><svg onload=alert(10)></svg><form action=http://127.0.0.1:1/><input autofocus onfocus=alert(11)></form>\r\n',
  'Subject: file\r\nFrom: a@remote.example\r\nContent-Type: application/x; name="<b onmouseover=alert(5)>.html"\r\nContent-Disposition: attachment; filename="\'\\"><img src=x onerror=alert(6)>.html"\r\n\r\nx\r\n',
]

describe('the page', {
  skip: existsSync(browserPath) ? false : 'no chromium: install chromium',
  timeout: 120_000,
}, () => {
  const folder = temporaryFolder()
  const problems: string[] = []
  let ports: Ports
  let mailweir: Running
  let legacy: Legacy
  let browser: Browser
  let page: Page

  const go = async (hash: string, heading: string): Promise<void> => {
    await page.goto(`http://127.0.0.1:${ports.console}/#/${hash}`)
    await page.getByRole('heading', { level: 1, name: heading }).waitFor()
  }

  before(async () => {
    const listen = await listenSettings()
    ports = listen.ports
    legacy = await startLegacy({ rcpt: (path) => (path.includes('refused@') ? '550 5.1.1 <b>no</b> such user' : null) })
    mailweir = startMailweir(['up'], {
      ...listen.settings,
      DATA_DIR: join(folder.path, 'data'),
      SEGMENT_MS: '100',
      LEGACY_SMTP: legacy.url,
      ROUTES: JSON.stringify([
        {
          name: 'crm',
          when: { kind: 'no-such-kind' },
          to: { webhook: 'https://user:hush@crm.example/hook?token=hush', secret: 'hush' },
        },
      ]),
    })
    await whenReady(mailweir, ports.console)
    await sendAll(ports.smtp, [...testMessages(24), ...attacks.map(attack)])
    await until('all is stored', async () => (await ledgerOf(ports)).stored === 28)
    browser = await chromium.launch({
      executablePath: browserPath,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
    })
    page = await browser.newPage()
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
  })
  after(async () => {
    await browser?.close()
    await mailweir?.[Symbol.asyncDispose]()
    await legacy?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  it('shows the pipeline, the ledger and the kinds, and new mail without anybody asking', async () => {
    await go('', 'Overview')
    await page.locator('#ledger td').first().filter({ hasText: '28' }).waitFor()
    assert.equal(await page.locator('#ledger td').last().textContent(), 'yes')
    assert.match((await page.locator('#kinds').textContent()) ?? '', /bounce/)
    await sendAll(ports.smtp, testMessages(1))
    await page.locator('#ledger td').first().filter({ hasText: '29' }).waitFor({ timeout: 10_000 })
    const rates = await page.locator('.pipeline .rate').allTextContents()
    assert.ok(
      rates.length === 4 && rates.every((rate) => /^\d+(?:\.\d)?\/s$/.test(rate)) && rates[0] !== '0.0/s',
      rates.join(' '),
    )
    await page.locator('.pipeline', { hasText: '0 behind' }).waitFor()
  })

  it('warns of what retention will drop, by what the topic is kept for, and until it is no longer so, without news', async () => {
    const hourMs = 3_600_000
    let leftMs = 23 * hourMs
    await page.route('**/api/lag', (route) =>
      route.fulfill({
        json: {
          groups: [
            {
              group: 'quarantine',
              topic: 'mail.classified',
              messages: 3,
              bytes: 300,
              oldestMs: 24 * hourMs - leftMs,
              retentionLeftMs: leftMs,
            },
          ],
        },
      }),
    )
    await go('', 'Overview')
    await page.locator('.pipeline', { hasText: '3 behind' }).waitFor()
    const warning = page.locator('#alerts', { hasText: 'retention drops mail of mail.classified' })
    assert.equal(await warning.count(), 0)
    leftMs = 2 * hourMs
    await warning.waitFor({ timeout: 10_000 })
    leftMs = 23 * hourMs
    await warning.waitFor({ state: 'detached', timeout: 10_000 })
    await page.unroute('**/api/lag')
  })

  it('searches as one types, and opens a message with trace, verdict and content, all as text', async () => {
    await go('messages', 'Messages')
    await page.locator('#messages tr').nth(28).waitFor()
    await page.locator('select[name=kind]').selectOption('bounce')
    await page.locator('#messages tr').nth(14).waitFor({ state: 'detached' })
    await page.locator('input[name=term]').fill('hurt@victim.example')
    await page.locator('#messages tr').nth(1).waitFor({ state: 'detached' })
    await page.locator('#messages a').first().click()
    await page.getByRole('heading', { level: 1, name: 'Message' }).waitFor()
    await page.locator('#recipients', { hasText: '<svg onload' }).waitFor()
    await page.locator('#trace li').nth(3).waitFor()
    assert.match((await page.locator('#trace').textContent()) ?? '', /accepted[\s\S]*classified[\s\S]*stored/)
    await page.locator('#content', { hasText: 'Final-Recipient' }).waitFor()
    await go('messages?text=onerror', 'Messages')
    await page.locator('#messages tr', { hasText: '<img src=x' }).locator('a').click()
    await page.locator('#content', { hasText: '<script>' }).waitFor()
    await go('messages?text=file', 'Messages')
    await page.locator('#messages a').first().click()
    await page.locator('#attachments', { hasText: 'onerror=alert(6)' }).waitFor()
    assert.deepEqual(problems, [])
  })

  it('shows the HTML of a message where nothing of it runs or loads', async () => {
    await go('messages?text=html', 'Messages')
    await page.locator('#messages a').first().click()
    await page.locator('#html summary').click()
    await page.frameLocator('#html iframe').getByRole('heading', { name: 'Seen' }).waitFor()
    await page.waitForTimeout(200)
    assert.equal(await page.evaluate('window.hurt'), undefined)
    // Chromium tells what it has not run and not loaded; nothing else went wrong.
    assert.ok(problems.length > 0)
    assert.deepEqual(
      problems.filter((problem) => !/sandboxed|Content Security Policy/i.test(problem)),
      [],
    )
    problems.length = 0
  })

  it('marks the bytes that decided, gives attachments as they are, and keeps a sample of a wrong verdict', async () => {
    await go('messages?address=hurt%40victim.example', 'Messages')
    await page.locator('#messages a').first().click()
    await page.locator('#marked summary').click()
    await page.locator('#evidence tr', { hasText: 'rfc3464:final-recipient' }).waitFor()
    await page.locator('#source mark', { hasText: 'Final-Recipient: rfc822; hurt@victim.example' }).waitFor()
    await page.locator('#label summary').click()
    await page.locator('#label select').selectOption('report')
    await page.locator('#label input[name=note]').fill('<i>not</i> a bounce')
    await page.locator('#label button').click()
    await page.locator('#said', { hasText: 'Kept as a sample' }).waitFor()
    await page.locator('#trace', { hasText: 'local: report, <i>not</i> a bounce' }).waitFor()
    const { labels } = (await (await fetch(`http://127.0.0.1:${ports.console}/api/samples`)).json()) as {
      labels: { kind: string; said: { kind: string } }[]
    }
    assert.deepEqual(
      labels.map(({ kind, said }) => [kind, said.kind]),
      [['report', 'bounce']],
    )
    await page.locator('#hold').click()
    await page.locator('#release').waitFor({ timeout: 10_000 })
    await go('retention', 'Retention')
    await page.locator('#held tr', { hasText: 'bounce' }).locator('a').click()
    await page.locator('#release').click()
    await page.locator('#hold').waitFor({ timeout: 10_000 })
    await go('messages?text=file', 'Messages')
    await page.locator('#messages a').first().click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#attachments a').click()])
    assert.equal(readFileSync(await download.path(), 'utf8').trim(), 'x')
    assert.deepEqual(problems, [])
  })

  it('lists dead letters, drives them once more, sets them aside, and tells what waits and what is stored', async () => {
    const [message] = testMessages(1)
    const dead = (name: string) => ({
      ...(message as NonNullable<typeof message>),
      forwardPaths: [{ address: `refused@${name}.example`, parameters: {} }],
    })
    await sendAll(ports.smtp, [dead('one'), dead('two')])
    await until('the dead', async () => (await ledgerOf(ports)).dead === 2)
    await go('', 'Overview')
    await page.locator('#alerts', { hasText: '2 messages were refused for good' }).waitFor()
    await go('dead-letters', 'Dead letters')
    const row = (name: string) => page.locator('#letters tr', { hasText: `refused@${name}.example` })
    await row('one').filter({ hasText: '<b>no</b>' }).waitFor()
    await row('one').locator('input').check()
    await page.locator('#drop input').fill('nobody needs it')
    await page.locator('#drop button').click()
    await row('one').waitFor({ state: 'detached' })
    legacy.script = {}
    await row('two').locator('input').check()
    await page.locator('#redrive').click()
    await row('two').waitFor({ state: 'detached' })
    await page.locator('input[name=dropped]').check()
    await row('one').waitFor()
    await until('it was taken', async () => legacy.messages.some(({ rcpts }) => rcpts[0]?.includes('refused@two')))
    await until('the books', async () => {
      const { dead: left, balanced } = await ledgerOf(ports)
      return left === 1 && balanced
    })
    await go('', 'Overview')
    await page.locator('#alerts').waitFor({ state: 'detached' })
    await page.locator('#lag tr', { hasText: 'mail.classified' }).waitFor()
    await page
      .locator('#hosts tr', { hasText: `127.0.0.1:${legacy.port}` })
      .filter({ hasText: '<b>no</b>' })
      .waitFor()
    await go('retention', 'Retention')
    await page.locator('#retention tr').first().waitFor()
    assert.deepEqual(problems, [])
  })

  it('replays mail, tells what would change, and shows the routes without their secrets', async () => {
    await go('replays', 'Replays')
    await page.locator('#replay input[name=name]').fill('by-page')
    await page.locator('#replay input[name=from]').fill('2020-01-01T00:00')
    await page.locator('#replay button').click()
    const row = page.locator('#replays tr', { hasText: 'by-page' })
    await row.waitFor()
    // As many as came in, and the same rules say the same.
    assert.deepEqual((await row.locator('td').allTextContents()).slice(3, 5), ['31', '0'])
    await row.locator('a').click()
    await page.getByRole('heading', { name: 'What by-page would say otherwise' }).waitFor()
    await page.locator('#replay input[name=name]').fill('by-page')
    await page.locator('#replay input[name=from]').fill('2020-01-01T00:00')
    await page.locator('#replay button').click()
    await page.getByRole('alert').filter({ hasText: 'There is a replay of this name' }).waitFor()
    problems.length = 0 // Chromium says that the request was refused.
    await go('routes', 'Routes')
    await page.locator('#routes tr', { hasText: 'kind no-such-kind' }).filter({ hasText: 'signed' }).waitFor()
    const shown = (await page.locator('#routes').textContent()) ?? ''
    assert.ok(shown.includes('https://crm.example/hook') && !shown.includes('hush'), shown)
    assert.deepEqual(problems, [])
  })

  it('shows the last hour by minute, and compares with what a person chooses', async () => {
    await go('', 'Overview')
    await page.locator('select[name=hours]').selectOption('1')
    await page.locator('figure svg[aria-label*="in one minute"]').waitFor()
    await page.locator('select[name=against]').selectOption('week')
    await page.locator('#kinds tr', { hasText: 'bounce' }).filter({ hasText: 'new' }).waitFor()
    assert.deepEqual(problems, [])
  })

  it('counts reasons by domain and by mail system, and drills down to the messages', async () => {
    for (const [by, pattern] of [
      ['domain', /&domain=/],
      ['system', /&system=/],
    ] as const) {
      await go('bounces', 'Bounces')
      await page.locator('select[name=by]').selectOption(by)
      await page
        .getByRole('group', { name: by === 'domain' ? 'Reason by receiving domain' : 'Reason by mail system' })
        .waitFor()
      const cell = page.locator('#matrix a').first()
      await until('the cells', async () => pattern.test((await cell.getAttribute('href')) ?? ''))
      const number = Number(await cell.textContent())
      await cell.click()
      await page.getByRole('heading', { level: 1, name: 'Messages' }).waitFor()
      await until('its messages', async () => (await page.locator('#messages tr').count()) === number)
    }
    assert.deepEqual(problems, [])
  })

  it('suppresses what bounced, lets a person lift it and add another', async () => {
    await go('suppressions', 'Suppressions')
    const row = page.locator('#suppressions tr', { hasText: 'hurt@victim.example' })
    await row.filter({ hasText: 'hard-bounce' }).waitFor()
    await row.getByRole('button', { name: 'Lift' }).click()
    await row.filter({ hasText: 'lifted' }).waitFor()
    await page.locator('#add input[name=address]').fill('other@victim.example')
    await page.locator('#add input[name=note]').fill('=cmd()')
    await page.locator('#add button').click()
    await page.locator('#suppressions tr', { hasText: 'other@victim.example' }).filter({ hasText: 'person' }).waitFor()
  })

  it('compares the list of the legacy system, and says where a list is wrong', async () => {
    await go('audit', 'Audit')
    const list = join(folder.path, 'list.csv')
    const send = async (text: string): Promise<void> => {
      writeFileSync(list, text)
      await page.locator('#audit input').setInputFiles(list)
      await page.locator('#audit button').click()
    }
    await send('email,reason\nuser1@remote.example,bounce\nnobody@victim.example,<img src=x onerror=alert(7)>\n')
    await page.locator('#sums li').nth(0).filter({ hasText: '2 in the list' }).waitFor()
    await page
      .locator('#findings tr', { hasText: 'nobody@victim.example' })
      .filter({ hasText: 'unsupported' })
      .waitFor()
    const [exported] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()])
    assert.match(
      readFileSync(await exported.path(), 'utf8'),
      /^address,finding,[\s\S]*\nnobody@victim\.example,unsupported,/,
    )
    await page.locator('#audit select').selectOption('text/plain')
    await send('2026-01-01T00:00:00Z suppressed logged@victim.example\nand more\n')
    await page.locator('#findings tr', { hasText: 'logged@victim.example' }).waitFor()
    await page.locator('#audit select').selectOption('text/csv')
    problems.length = 0
    await send('email\nnot an address\n')
    await page.getByRole('alert').filter({ hasText: 'line 2, column 1' }).waitFor()
    problems.length = 0 // Chromium says that the request was refused.
  })

  for (const [device, size] of Object.entries(widths)) {
    it(`is accessible and fits on a ${device}`, async () => {
      await page.setViewportSize(size)
      for (const [hash, heading] of [
        ['', 'Overview'],
        ['messages', 'Messages'],
        ['bounces', 'Bounces'],
        ['campaigns', 'Campaigns'],
        ['suppressions', 'Suppressions'],
        ['dead-letters', 'Dead letters'],
        ['replays', 'Replays'],
        ['routes', 'Routes'],
        ['retention', 'Retention'],
        ['audit', 'Audit'],
      ] as const) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await go(hash, heading)
          await page.waitForTimeout(150)
          // The page itself forbids scripts that are not its own; the browser's own tools are not bound by that.
          await page.evaluate(axe)
          const found = (await page.evaluate('axe.run()')) as {
            violations: { id: string; nodes: { html: string }[] }[]
          }
          assert.deepEqual(
            found.violations.map(({ id, nodes }) => `${hash} ${colorScheme} ${id}: ${nodes[0]?.html}`),
            [],
          )
          const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
          assert.ok(Number(overflow) <= 0, `${hash} is ${overflow} px too wide`)
          if (pictures !== undefined && colorScheme === (device === 'desk' ? 'light' : 'dark')) {
            mkdirSync(pictures, { recursive: true })
            await page.screenshot({ path: join(pictures, `${device}-${hash || 'overview'}.png`), fullPage: false })
          }
        }
      }
      assert.deepEqual(problems, [])
    })
  }

  it('is small: what it loads, in all', async () => {
    const sizes: number[] = []
    page.on('response', (response) => {
      if (!response.url().includes('/api/'))
        void response.body().then(
          (body) => sizes.push(body.length),
          () => {},
        )
    })
    await page.goto('about:blank')
    await go('', 'Overview')
    await page.waitForTimeout(300)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    assert.ok(bytes > 10_000 && bytes < 150_000, `${bytes} bytes`)
  })
})
