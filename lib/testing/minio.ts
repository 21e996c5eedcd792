/** A real MinIO server for tests: built by the machine's Go, kept outside the tree. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { cacheFolder } from './kafka.ts'
import { freePort } from './ports.ts'

const exec = promisify(execFile)
const startMs = 60_000

export type ObjectServer = {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** Path of the program; builds it if it is not there. */
export async function minioProgram(): Promise<string> {
  const found = join(cacheFolder, 'bin', 'minio')
  if (existsSync(found)) return found
  try {
    await exec('go', ['install', 'github.com/minio/minio@latest'], {
      env: { ...process.env, GOBIN: join(cacheFolder, 'bin') },
      timeout: 1_200_000,
    })
  } catch (error) {
    throw new Error('cannot build MinIO: install golang-go 1.24 or later, or set S3_ENDPOINT', { cause: error })
  }
  return found
}

export async function startMinio(): Promise<ObjectServer> {
  const program = await minioProgram()
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-minio-'))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const [accessKeyId, secretAccessKey] = ['mailweir-test', 'mailweir-test-secret']
  let child: ChildProcess | null = null
  const start = async (): Promise<void> => {
    child = spawn(program, ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder], {
      stdio: 'ignore',
      env: {
        ...process.env,
        MINIO_ROOT_USER: accessKeyId,
        MINIO_ROOT_PASSWORD: secretAccessKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        MINIO_CI_CD: '1',
      },
    })
    const until = Date.now() + startMs
    for (;;) {
      const response = await fetch(`${endpoint}/minio/health/ready`).catch(() => null)
      if (response?.ok) return
      if (Date.now() > until) throw new Error('MinIO did not come up')
      await sleep(50)
    }
  }
  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  process.once('exit', () => child?.kill('SIGKILL'))
  await start()
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    kill,
    start,
    stop: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
