/** The house rules, as a test. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const isTest = (path: string): boolean =>
  path.endsWith('.test.ts') || /^(?:test|lib\/testing|bench)\//.test(path) || path.endsWith('/contract.ts')
const code = files.filter((path) => path.endsWith('.ts'))
const product = code.filter((path) => !isTest(path))

/** What a file imports: files by their path from the root, packages by their name. */
function importsOf(path: string): string[] {
  return [
    ...read(path).matchAll(/^(?:import|export)\b[^;'"]*?from '([^']+)'|\bimport(?:\.meta\.resolve)?\('([^']+)'\)/gm),
  ]
    .map(([, given, loaded]) => given ?? loaded ?? '')
    .map((specifier) => {
      if (specifier.startsWith('.')) return relative(root, join(root, dirname(path), specifier))
      if (specifier.startsWith('#')) return specifier.slice(1)
      return specifier
    })
}

/** The area of a file: a service, a part of lib, schemas, cli. */
const areaOf = (path: string): string => /^(?:lib|services)\/[^/]+/.exec(path)?.[0] ?? path.split('/')[0] ?? path

const mayImport: Readonly<Record<string, readonly string[]>> = {
  'lib/mail': [],
  'lib/runtime': [],
  schemas: ['lib/runtime'],
  'lib/smtp': ['lib/mail', 'lib/runtime'],
  'lib/log': ['lib/runtime'],
  'lib/objects': ['lib/runtime'],
  'lib/claims': ['lib/log', 'lib/objects', 'lib/runtime', 'schemas'],
  'lib/letters': ['lib/claims', 'lib/log', 'lib/objects', 'lib/runtime', 'schemas'],
  'lib/segments': ['lib/objects', 'lib/runtime', 'schemas'],
}

describe('house rules', () => {
  it('areas import only what they may', () => {
    const wrong: string[] = []
    for (const path of product) {
      const area = areaOf(path)
      if (/^(?:cli|docs|mailweir\.ts)/.test(area)) continue
      for (const imported of importsOf(path)) {
        if (!imported.endsWith('.ts') && !imported.endsWith('.json')) continue
        const target = areaOf(imported)
        if (target === area) continue
        const allowed = mayImport[area] ?? (area.startsWith('services/') ? ['lib', 'schemas'] : [])
        if (
          !allowed.some(
            (prefix) =>
              target === prefix || (prefix === 'lib' && target.startsWith('lib/') && target !== 'lib/testing'),
          )
        ) {
          wrong.push(`${path} imports ${imported}`)
        }
      }
    }
    assert.deepEqual(wrong, [])
  })

  it('adapters are named by open.ts alone', () => {
    const adapters = new Set(['lib/log/kafka.ts', 'lib/log/embedded.ts', 'lib/objects/s3.ts', 'lib/objects/files.ts'])
    const wrong = product.filter(
      (path) => !path.endsWith('/open.ts') && importsOf(path).some((imported) => adapters.has(imported)),
    )
    assert.deepEqual(wrong, [])
  })

  it('a third-party package is imported in one area, and is declared', () => {
    const declared = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const areas = new Map<string, Set<string>>()
    for (const path of product) {
      for (const imported of importsOf(path)) {
        if (imported.startsWith('node:') || imported.endsWith('.ts') || imported.endsWith('.json')) continue
        const name = imported.startsWith('@')
          ? imported.split('/').slice(0, 2).join('/')
          : (imported.split('/')[0] ?? imported)
        assert.ok(name in declared.dependencies, `${path} imports ${name}, which package.json does not declare`)
        areas.set(name, (areas.get(name) ?? new Set()).add(areaOf(path)))
      }
    }
    // The codec of the topics and the files of the archive are both Avro.
    areas.get('avsc')?.delete('lib/segments')
    for (const [name, where] of areas) assert.equal(where.size, 1, `${name} is imported in ${[...where].join(', ')}`)
    for (const name of Object.keys(declared.dependencies)) {
      assert.ok(areas.has(name) || name === 'node', `package.json declares ${name}, which nobody imports`)
    }
  })

  it('nobody but the command line reads the environment', () => {
    const wrong = product.filter(
      (path) =>
        !/^(?:cli\/|mailweir\.ts)/.test(path) && /process\.env/.test(read(path).replace(/\/\*[\s\S]*?\*\//g, '')),
    )
    assert.deepEqual(wrong, [])
  })

  it('every file says first what it owns', () => {
    const wrong = product.filter(
      (path) => !/^\/(?:\*\*|\/) /.test(read(path).replace(/\n \* /, ' ')) && path !== 'schemas/types.ts',
    )
    assert.deepEqual(
      wrong.filter((path) => !/\/(?:command|refusal|reply|errors)\.ts$/.test(path)),
      [],
    )
  })

  it('files are named for what they own, and stay readable', () => {
    for (const path of files) assert.doesNotMatch(path, /(?:^|\/)(?:utils?|helpers?|common|misc|index)\.ts$/)
    const long = product.filter((path) => read(path).split('\n').length > 500)
    assert.deepEqual(long, [])
  })

  it('nothing is left to do, to ignore or to print', () => {
    for (const path of code) {
      if (path === 'test/tidy.test.ts') continue
      assert.doesNotMatch(read(path), /\b(?:TODO|FIXME|XXX|HACK)\b|@ts-ignore|@ts-expect-error|biome-ignore/, path)
      if (!isTest(path)) assert.doesNotMatch(read(path), /\bconsole\.(?:log|error|warn)\(/, path)
    }
  })

  it('programs can be run', () => {
    const modes = execFileSync('git', ['ls-files', '-s', '.ci/run', 'bin/mailweir.cjs'], {
      cwd: root,
      encoding: 'utf8',
    })
    assert.equal(modes.match(/^100755 /gm)?.length, 2)
  })
})
