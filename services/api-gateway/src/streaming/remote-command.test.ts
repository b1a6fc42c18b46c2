import { internalError } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import { sizeReader, statusOfEnd, textOfEnd } from './remote-command.ts'

describe('the end of a command', () => {
  const why = (code: number): string => `exit code ${code}`
  test('is told as upstream tells it', () => {
    expect(statusOfEnd({ exitCode: 0 }, why)).toEqual({ metadata: {}, status: 'Success' })
    expect(statusOfEnd({ exitCode: 7 }, why)).toEqual({
      ...{ metadata: {}, status: 'Failure', reason: 'NonZeroExitCode' },
      message: 'command terminated with non-zero exit code: exit code 7',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    })
    const failure = internalError('x')
    expect(statusOfEnd({ failure }, why)).toBe(failure)
  })

  test('is a sentence in the older protocols, and nothing when all went well', () => {
    expect(textOfEnd({ exitCode: 0 }, why)).toBe('')
    expect(textOfEnd({ exitCode: 7 }, why)).toBe('command terminated with non-zero exit code: exit code 7')
    expect(textOfEnd({ failure: internalError('x') }, why)).toBe('Internal error occurred: x')
  })
})

test('sizes are read however they are cut, and what is none is passed over', () => {
  const sizes: number[][] = []
  const read = sizeReader((...size) => sizes.push(size))
  for (const part of ['{"Width":80,"Hei', 'ght":24}\n{"Width":1', '00,"Height":30}{"Width":0,"Height":1}', 'x}{"Width":"a","Height":2}', '{"Width":70000,"Height":2}', '}'.repeat(5_000), '{"Width":1,"Height":2}'])
    read(Buffer.from(part))
  expect(sizes).toEqual([[80, 24], [100, 30], [1, 2]])
})
