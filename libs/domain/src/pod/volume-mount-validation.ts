// Where containers mount volumes.
import { forbiddenField, invalidValue, notFoundField, notSupported, required } from '@shiplog/api/field-errors'
import type { Container } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from '../fields.ts'
import { validateLocalPath } from './volume-path-validation.ts'

const propagations = ['Bidirectional', 'HostToContainer', 'None']
const recursives = ['Disabled', 'Enabled', 'IfPossible']

/** `volumeMounts` of a container. */
export const validateVolumeMounts = (
  container: Decoded<Container>,
  volumeNames: ReadonlySet<string>,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const paths = new Set<string>()
  items(container.volumeMounts).forEach((mount, index) => {
    const at = `${field}.volumeMounts[${index}]`
    const { name = '', mountPath = '' } = mount
    if (name === '') causes.push(required(`${at}.name`))
    if (!volumeNames.has(name)) causes.push(notFoundField(`${at}.name`, name))
    if (mountPath === '') causes.push(required(`${at}.mountPath`))
    if (paths.has(mountPath)) causes.push(invalidValue(`${at}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath)
    // Upstream forgets the index here.
    const unindexed = `${field}.volumeMounts`
    if (mount.subPath) causes.push(...validateLocalPath(mount.subPath, `${unindexed}.subPath`))
    if (mount.subPathExpr) {
      if (mount.subPath)
        causes.push(
          invalidValue(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
        )
      causes.push(...validateLocalPath(mount.subPathExpr, `${unindexed}.subPathExpr`))
    }
    const propagation = mount.mountPropagation
    if (propagation && !propagations.includes(propagation))
      causes.push(notSupported(`${field}.volumeMounts.mountPropagation`, propagation, propagations))
    const recursive = mount.recursiveReadOnly
    if (recursive && !recursives.includes(recursive))
      causes.push(notSupported(`${field}.volumeMounts.recursiveReadOnly`, recursive, recursives))
    if (recursive === 'Enabled' || recursive === 'IfPossible') {
      const place = `${unindexed}.recursiveReadOnly`
      if (mount.readOnly !== true) causes.push(forbiddenField(place, 'may only be specified when readOnly is true'))
      if (propagation && propagation !== 'None')
        causes.push(forbiddenField(place, 'may only be specified when mountPropagation is None or not specified'))
    }
    if (propagation === 'Bidirectional' && container.securityContext?.privileged !== true)
      causes.push(
        forbiddenField(
          `${unindexed}.mountPropagation`,
          'Bidirectional mount propagation is available only to privileged containers',
        ),
      )
  })
  return causes
}
