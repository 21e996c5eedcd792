/** The page in a real browser. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import { listenSettings, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { testMessages } from '#lib/testing/messages.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ledgerOf } from './flow.ts'

const browserPath = '/usr/bin/chromium'

describe('the page', { skip: existsSync(browserPath) ? false : 'no chromium: install chromium' }, () => {
  it('shows the ledger, the kinds and the messages, refreshes itself, and opens a trace', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    await using _mailweir = startMailweir(['up'], {
      ...settings,
      DATA_DIR: join(folder.path, 'data'),
      SEGMENT_MS: '100',
    })
    await whenReady(_mailweir, ports.console)
    const hostile = {
      ...(testMessages(1)[0] as ReturnType<typeof testMessages>[0]),
      content: Buffer.from(
        'Subject: <img src=x onerror=alert(1)>\r\nFrom: a@remote.example\r\n\r\n<script>alert(2)</script>\r\n',
      ),
    }
    await sendAll(ports.smtp, [...testMessages(24), hostile])
    await until('all is stored', async () => (await ledgerOf(ports)).stored === 25)
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
    })
    try {
      const page = await browser.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text())
      })
      page.on('dialog', (dialog) => {
        problems.push(`dialog: ${dialog.message()}`)
        void dialog.dismiss()
      })
      await page.goto(`http://127.0.0.1:${ports.console}/`)
      await page.locator('#ledger td').first().filter({ hasText: '25' }).waitFor()
      assert.equal(await page.locator('#ledger td').last().textContent(), 'yes')
      assert.match((await page.locator('#kinds').textContent()) ?? '', /bounce/)
      assert.equal(await page.locator('#messages tr').count(), 25)
      // New mail shows without anybody asking.
      await sendAll(ports.smtp, testMessages(1))
      await page.locator('#ledger td').first().filter({ hasText: '26' }).waitFor({ timeout: 10_000 })
      await page.locator('select[name=kind]').selectOption('bounce')
      await page.locator('#messages tr').nth(11).waitFor({ state: 'detached' })
      await page.locator('select[name=kind]').selectOption('')
      await page.locator('#messages tr', { hasText: '<img' }).locator('button').click()
      await page.locator('#trace li').nth(3).waitFor()
      assert.match((await page.locator('#trace').textContent()) ?? '', /accepted[\s\S]*classified[\s\S]*stored/)
      await page.locator('#content', { hasText: '<script>' }).waitFor()
      assert.deepEqual(problems, [])
    } finally {
      await browser.close()
    }
  })
})
