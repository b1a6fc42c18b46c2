// What every program beside this one does (../README.md), with the official client for Java.
import com.google.gson.reflect.TypeToken;
import io.kubernetes.client.custom.V1Patch;
import io.kubernetes.client.informer.ResourceEventHandler;
import io.kubernetes.client.informer.SharedInformerFactory;
import io.kubernetes.client.openapi.ApiClient;
import io.kubernetes.client.openapi.ApiException;
import io.kubernetes.client.openapi.JSON;
import io.kubernetes.client.openapi.apis.AppsV1Api;
import io.kubernetes.client.openapi.apis.CoordinationV1Api;
import io.kubernetes.client.openapi.apis.CoreV1Api;
import io.kubernetes.client.openapi.models.*;
import io.kubernetes.client.util.Config;
import io.kubernetes.client.util.PatchUtils;
import io.kubernetes.client.util.Watch;
import java.io.IOException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

public final class Main {
  private static final String ME = "client-java";

  private final ApiClient client;
  private final CoreV1Api core;
  private final AppsV1Api apps;
  private final CoordinationV1Api coordination;
  private final String namespace;

  private Main(ApiClient client, String namespace) {
    this.client = client;
    this.namespace = namespace;
    core = new CoreV1Api(client);
    apps = new AppsV1Api(client);
    coordination = new CoordinationV1Api(client);
  }

  private interface Step {
    Map<String, Object> run() throws Exception;
  }

  private synchronized void say(Map<String, Object> line) {
    System.out.println(JSON.serialize(line));
    System.out.flush();
  }

  private static Map<String, Object> line(Object... pairs) {
    Map<String, Object> line = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) line.put((String) pairs[i], pairs[i + 1]);
    return line;
  }

  private static V1ConfigMap configMap(String name, Map<String, String> labels, Map<String, String> data) {
    return new V1ConfigMap().metadata(new V1ObjectMeta().name(name).labels(labels)).data(data);
  }

  private Map<String, Object> list() throws ApiException {
    for (int i = 0; i < 5; i++)
      core.createNamespacedConfigMap(namespace, configMap("page-" + i, Map.of("page", "yes"), null)).execute();
    List<String> names = new ArrayList<>();
    int pages = 0;
    String next = null;
    do {
      var page = core.listNamespacedConfigMap(namespace).labelSelector("page=yes").limit(2)._continue(next).execute();
      page.getItems().forEach(item -> names.add(item.getMetadata().getName()));
      pages++;
      next = page.getMetadata().getContinue();
    } while (next != null && !next.isEmpty());
    return line("names", names, "pages", pages);
  }

  private Map<String, Object> watch() throws Exception {
    String version = core.listNamespacedConfigMap(namespace).execute().getMetadata().getResourceVersion();
    List<String> events = new ArrayList<>();
    var call = core.listNamespacedConfigMap(namespace).labelSelector("watched=yes").resourceVersion(version).watch(true).buildCall(null);
    try (Watch<V1ConfigMap> watching = Watch.createWatch(client, call, new TypeToken<Watch.Response<V1ConfigMap>>() {}.getType())) {
      V1ConfigMap created = core.createNamespacedConfigMap(namespace, configMap("watched", Map.of("watched", "yes"), null)).execute();
      core.replaceNamespacedConfigMap("watched", namespace, created.data(Map.of("a", "b"))).execute();
      core.deleteNamespacedConfigMap("watched", namespace).execute();
      for (var event : watching) {
        events.add(event.type + " " + event.object.getMetadata().getName());
        if (event.type.equals("DELETED")) break;
      }
    }
    return line("events", events);
  }

  private void patchConfigMap(String format, String body) throws ApiException {
    PatchUtils.patch(V1ConfigMap.class,
        () -> core.patchNamespacedConfigMap("patched", namespace, new V1Patch(body)).buildCall(null), format, client);
  }

  private Map<String, Object> patches() throws ApiException {
    core.createNamespacedConfigMap(namespace, configMap("patched", null, Map.of("start", "0"))).execute();
    patchConfigMap(V1Patch.PATCH_FORMAT_JSON_PATCH, "[{\"op\":\"add\",\"path\":\"/data/json\",\"value\":\"1\"}]");
    patchConfigMap(V1Patch.PATCH_FORMAT_JSON_MERGE_PATCH, "{\"data\":{\"merge\":\"2\",\"start\":null}}");
    var labels = Map.of("app", "patched");
    var pod = new V1PodSpec().containers(List.of(new V1Container().name("a").image("x:1")));
    var template = new V1PodTemplateSpec().metadata(new V1ObjectMeta().labels(labels)).spec(pod);
    var spec = new V1DeploymentSpec().replicas(0).selector(new V1LabelSelector().matchLabels(labels)).template(template);
    apps.createNamespacedDeployment(namespace, new V1Deployment().metadata(new V1ObjectMeta().name("patched")).spec(spec)).execute();
    String second = "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"y:1\"}]}}}}";
    PatchUtils.patch(V1Deployment.class,
        () -> apps.patchNamespacedDeployment("patched", namespace, new V1Patch(second)).buildCall(null),
        V1Patch.PATCH_FORMAT_STRATEGIC_MERGE_PATCH, client);
    return line();
  }

  private Map<String, Object> apply() throws ApiException {
    String wanted = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"applied\"},\"data\":{\"apply\":\"3\"}}";
    for (int i = 0; i < 2; i++)
      PatchUtils.patch(V1ConfigMap.class,
          () -> core.patchNamespacedConfigMap("applied", namespace, new V1Patch(wanted)).fieldManager(ME).force(true).buildCall(null),
          V1Patch.PATCH_FORMAT_APPLY_YAML, client);
    return line();
  }

  private Map<String, Object> evict() throws Exception {
    var metadata = new V1ObjectMeta().name("evicted").namespace(namespace);
    var container = new V1Container().name("main").image("registry.k8s.io/pause:3.10");
    var spec = new V1PodSpec().terminationGracePeriodSeconds(0L).containers(List.of(container));
    core.createNamespacedPod(namespace, new V1Pod().metadata(metadata).spec(spec)).execute();
    while (!"Running".equals(core.readNamespacedPod("evicted", namespace).execute().getStatus().getPhase())) Thread.sleep(50);
    // The answer is a Status, which this client's model of an Eviction refuses to hold.
    done(core.createNamespacedPodEviction("evicted", namespace, new V1Eviction().metadata(metadata)).buildCall(null));
    for (;;) {
      try {
        core.readNamespacedPod("evicted", namespace).execute();
        Thread.sleep(50);
      } catch (ApiException refused) {
        if (refused.getCode() == 404) return line();
        throw refused;
      }
    }
  }

  /** Leader election is in another package of this client: a Lease as that one would keep it. */
  private Map<String, Object> lease() throws ApiException {
    var spec = new V1LeaseSpec().holderIdentity(ME).leaseDurationSeconds(15).acquireTime(OffsetDateTime.now()).renewTime(OffsetDateTime.now());
    var lease = new V1Lease().metadata(new V1ObjectMeta().name("leader")).spec(spec);
    V1Lease created = coordination.createNamespacedLease(namespace, lease).execute();
    String stale = created.getMetadata().getResourceVersion();
    created.getSpec().setRenewTime(OffsetDateTime.now().plusSeconds(1));
    coordination.replaceNamespacedLease("leader", namespace, created).execute();
    created.getMetadata().setResourceVersion(stale);
    try {
      coordination.replaceNamespacedLease("leader", namespace, created).execute();
      return line("conflict", 200);
    } catch (ApiException refused) {
      return line("conflict", refused.getCode());
    }
  }

  private Map<String, Object> deleteCollection() throws Exception {
    // The answer is the list of what was deleted, where this client expects a Status.
    done(core.deleteCollectionNamespacedConfigMap(namespace).labelSelector("page=yes").buildCall(null));
    return line();
  }

  private static void done(okhttp3.Call call) throws IOException {
    try (var answer = call.execute()) {
      if (!answer.isSuccessful()) throw new IOException(answer.code() + " " + answer.body().string());
    }
  }

  private void tell(String event, V1ConfigMap object) {
    say(line("event", event, "name", object.getMetadata().getName(), "version", object.getMetadata().getResourceVersion()));
  }

  private void inform() throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    var factory = new SharedInformerFactory(client);
    var informer = factory.sharedIndexInformerFor(
        asked -> core.listNamespacedConfigMap(namespace).labelSelector("ledger=yes").resourceVersion(asked.resourceVersion)
            .timeoutSeconds(asked.timeoutSeconds).watch(asked.watch).buildCall(null),
        V1ConfigMap.class, V1ConfigMapList.class);
    informer.addEventHandler(new ResourceEventHandler<>() {
      @Override
      public void onAdd(V1ConfigMap object) {
        tell("add", object);
        if (object.getMetadata().getName().equals("end")) ended.countDown();
      }

      @Override
      public void onUpdate(V1ConfigMap before, V1ConfigMap object) {
        // This client's informer lists again whenever a watch ends, and tells what it has once more.
        if (!before.getMetadata().getResourceVersion().equals(object.getMetadata().getResourceVersion())) tell("update", object);
      }

      @Override
      public void onDelete(V1ConfigMap object, boolean finalStateUnknown) {
        tell("delete", object);
      }
    });
    factory.startAllRegisteredInformers();
    ended.await();
    Map<String, Object> cache = new LinkedHashMap<>();
    informer.getIndexer().list().forEach(held -> cache.put(held.getMetadata().getName(), held.getMetadata().getResourceVersion()));
    say(line("cache", cache));
    factory.stopAllRegisteredInformers();
  }

  private void step(String name, Step step) throws Exception {
    Map<String, Object> said = new LinkedHashMap<>(step.run());
    said.put("step", name);
    say(said);
  }

  public static void main(String[] arguments) {
    try {
      // A watch says nothing for as long as nothing happens.
      Main program = new Main(Config.defaultClient().setReadTimeout(0), arguments[0]);
      program.step("list", program::list);
      program.step("watch", program::watch);
      program.step("patches", program::patches);
      program.step("apply", program::apply);
      program.step("evict", program::evict);
      program.step("lease", program::lease);
      program.step("deletecollection", program::deleteCollection);
      program.inform();
      program.say(line("done", true));
    } catch (Throwable fault) {
      fault.printStackTrace();
      if (fault instanceof ApiException refused) System.err.println(refused.getResponseBody());
      System.exit(1);
    }
    System.exit(0);
  }
}
