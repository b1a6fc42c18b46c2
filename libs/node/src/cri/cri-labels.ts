// How containers and sandboxes are marked, so that they are found again: upstream's names, which other tools know.
export const podNameLabel = 'io.kubernetes.pod.name'
export const podNamespaceLabel = 'io.kubernetes.pod.namespace'
export const podUidLabel = 'io.kubernetes.pod.uid'
export const containerNameLabel = 'io.kubernetes.container.name'
/** On a container: the file on the node whose content becomes the message of its end. */
export const terminationFileAnnotation = 'shiplog.dev/termination-file'
/** With `FallbackToLogsOnError` the end of the output is the message when there is no other. */
export const terminationPolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy'
