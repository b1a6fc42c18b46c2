import { expect, test } from 'vitest'
import { defaultPullPolicy, imageTag } from './image-reference.ts'

test('the tag of an image is found behind hosts, ports and digests', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  const tags = {
    nginx: 'latest',
    'nginx:1.2': '1.2',
    'host:5000/x': 'latest',
    'HOST/x:2': '2',
    'a/b/c:latest': 'latest',
    [`x@${digest}`]: '',
    [`x:3@${digest}`]: '3',
  }
  for (const [image, tag] of Object.entries(tags)) expect(imageTag(image), image).toBe(tag)
})

test('what is no name of an image has no tag and is not pulled each time', () => {
  for (const image of ['Not A Name', '::', ' x', 'a//b', 'x@sha256:1', 'UPPER', 'f'.repeat(64), '', 'x:', 'x@md5:'])
    expect([image, imageTag(image), defaultPullPolicy(image)]).toEqual([image, undefined, 'IfNotPresent'])
})
