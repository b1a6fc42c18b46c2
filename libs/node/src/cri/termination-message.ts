// The message of a container's end: what it wrote into the file for that, else, where the pod asks for it and the container
// failed, the end of its output; bounded as upstream bounds them.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { containerLogDirectory } from '../pod-directories.ts'
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel, terminationFileAnnotation, terminationPolicyAnnotation } from './cri-labels.ts'
import type { ContainerStatusMessage } from './cri-messages.ts'

const messageBytesMax = 4_096
const outputBytesMax = 2_048
const outputLinesMax = 80

/** The last bytes of a file; undefined when there is no such file. */
function tail(path: string, bytes: number): string | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const { size } = fstatSync(file)
    const buffer = Buffer.alloc(Math.min(size, bytes))
    readSync(file, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8')
  } finally {
    closeSync(file)
  }
}

export function terminationMessageOf({ directory }: { readonly directory: string }, status: ContainerStatusMessage): string {
  const { annotations, exitCode, message } = status
  const file = annotations[terminationFileAnnotation]
  const written = file === undefined ? '' : (tail(file, messageBytesMax) ?? '')
  const fallsBack = annotations[terminationPolicyAnnotation] === 'FallbackToLogsOnError' && exitCode !== 0
  const shown = written === '' && fallsBack ? outputOf(directory, status) : written
  if (message === '') return shown
  return shown === '' ? message : `${message}: ${shown}`
}

/** The text of the last lines on disk, without what stands before it on each. */
function outputOf(directory: string, { labels, metadata }: ContainerStatusMessage): string {
  const pod = { namespace: labels[podNamespaceLabel] ?? '', name: labels[podNameLabel] ?? '', uid: labels[podUidLabel] ?? '' }
  const path = join(containerLogDirectory(directory, pod, labels[containerNameLabel] ?? metadata.name), `${metadata.attempt}.log`)
  let lines: string[]
  try {
    lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-outputLinesMax)
  } catch {
    return ''
  }
  const text = lines.map((line) => {
    const [, tag, said] = /^\S+ \S+ ([FP]) (.*)$/s.exec(line) ?? []
    return tag === undefined ? '' : `${said}${tag === 'F' ? '\n' : ''}`
  })
  return Buffer.from(text.join('')).subarray(-outputBytesMax).toString('utf8')
}
