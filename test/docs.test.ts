/** The pages say what the code does. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { sections } from '#cli/settings.ts'
import { errorCodes } from '#lib/runtime/errors.ts'
import { pages } from '../docs/generate.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const markdown = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)))

describe('the pages', () => {
  it('that are made from the code are as the code makes them', async () => {
    for (const [name, text] of Object.entries(await pages())) {
      assert.equal(read(`docs/${name}`), text, `docs/${name} is old: npm run generate`)
    }
  })

  it('explain every error code, and no other', () => {
    const explained = [...read('docs/ERRORS.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
    assert.deepEqual(explained.sort(), Object.keys(errorCodes).sort())
  })

  it('link to files that exist', () => {
    for (const path of markdown) {
      for (const [, target = ''] of read(path).matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
        assert.ok(existsSync(join(root, dirname(path), target)), `${path} links to ${target}`)
      }
    }
  })

  it('name files that exist', () => {
    for (const path of markdown) {
      for (const [, target = ''] of read(path).matchAll(
        /`((?:lib|services|schemas|cli|test|bench|k8s|docs)\/[\w./-]+\.\w+)`/g,
      )) {
        assert.ok(existsSync(join(root, target)), `${path} names ${target}`)
      }
    }
  })

  it('name settings that exist', () => {
    const known = new Set(sections.flatMap(({ settings }) => Object.values(settings).map(({ variable }) => variable)))
    for (const path of markdown) {
      for (const [, name = ''] of read(path).matchAll(
        /\b((?:SMTP|IMAPS?|CONSOLE|HEALTH|MAIL|LEGACY|KAFKA|S3|DATA|FORWARD|RETRY|CLASSIFY|SEGMENT|INGEST|STOP|CLAIM|RECORD)_[A-Z_]+)\b/g,
      )) {
        if (/^(?:SMTP_REFUSED|SMTP_CONNECTION|RECORD_UNDECODABLE|RECORD_SCHEMA_UNKNOWN|SEGMENT_CORRUPT)$/.test(name))
          continue
        assert.ok(known.has(name), `${path} names ${name}`)
      }
    }
  })

  it('give the numbers of decisions in order', () => {
    const numbers = readdirSync(join(root, 'docs', 'adr')).map((name) => Number(name.slice(0, 4)))
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      numbers.map((_, index) => index + 1),
    )
  })

  it('keep the README to two screens, with the two commands', () => {
    const text = read('README.md')
    assert.ok(text.split('\n').length <= 100)
    assert.match(text, /^ {4}npm ci && npm start$/m)
    assert.match(text, /^ {4}npm ci && npm test$/m)
  })
})
