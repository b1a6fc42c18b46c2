// What every program beside this one does (../README.md), with fabric8, the client of most operators in Java.
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfigBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

public final class Main {
  private static final String ME = "fabric8";
  private static final long STEP_SECONDS = 60;

  private final KubernetesClient client;
  private final String namespace;

  private Main(KubernetesClient client, String namespace) {
    this.client = client;
    this.namespace = namespace;
  }

  private interface Step {
    Map<String, Object> run() throws Exception;
  }

  private synchronized void say(Map<String, Object> line) {
    System.out.println(client.getKubernetesSerialization().asJson(line));
    System.out.flush();
  }

  private static Map<String, Object> line(Object... pairs) {
    Map<String, Object> line = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) line.put((String) pairs[i], pairs[i + 1]);
    return line;
  }

  private ConfigMap configMap(String name, Map<String, String> labels, Map<String, String> data) {
    return new ConfigMapBuilder().withNewMetadata().withName(name).withNamespace(namespace).withLabels(labels)
        .endMetadata().withData(data).build();
  }

  private Map<String, Object> list() {
    for (int i = 0; i < 5; i++) client.resource(configMap("page-" + i, Map.of("page", "yes"), null)).create();
    List<String> names = new ArrayList<>();
    int pages = 0;
    String next = null;
    do {
      var options = new ListOptionsBuilder().withLimit(2L).withContinue(next).withLabelSelector("page=yes").build();
      var page = client.configMaps().inNamespace(namespace).list(options);
      page.getItems().forEach(item -> names.add(item.getMetadata().getName()));
      pages++;
      next = page.getMetadata().getContinue();
    } while (next != null && !next.isEmpty());
    return line("names", names, "pages", pages);
  }

  private Map<String, Object> watch() throws Exception {
    List<String> events = new ArrayList<>();
    CompletableFuture<Void> done = new CompletableFuture<>();
    String version = client.configMaps().inNamespace(namespace).list().getMetadata().getResourceVersion();
    var options = new ListOptionsBuilder().withResourceVersion(version).withLabelSelector("watched=yes").build();
    try (var watching = client.configMaps().inNamespace(namespace).watch(options, new Watcher<ConfigMap>() {
      @Override
      public void eventReceived(Action action, ConfigMap object) {
        events.add(action + " " + object.getMetadata().getName());
        if (action == Action.DELETED) done.complete(null);
      }

      @Override
      public void onClose(WatcherException cause) {
        done.completeExceptionally(cause);
      }
    })) {
      ConfigMap created = client.resource(configMap("watched", Map.of("watched", "yes"), null)).create();
      created.setData(Map.of("a", "b"));
      client.resource(created).update();
      client.resource(created).delete();
      done.get(STEP_SECONDS, TimeUnit.SECONDS);
    }
    return line("events", events);
  }

  private Map<String, Object> patches() {
    client.resource(configMap("patched", null, Map.of("start", "0"))).create();
    var patched = client.configMaps().inNamespace(namespace).withName("patched");
    patched.patch(PatchContext.of(PatchType.JSON), "[{\"op\":\"add\",\"path\":\"/data/json\",\"value\":\"1\"}]");
    patched.patch(PatchContext.of(PatchType.JSON_MERGE), "{\"data\":{\"merge\":\"2\",\"start\":null}}");
    var labels = Map.of("app", "patched");
    client.resource(new DeploymentBuilder().withNewMetadata().withName("patched").withNamespace(namespace).endMetadata()
        .withNewSpec().withReplicas(0).withNewSelector().withMatchLabels(labels).endSelector()
        .withNewTemplate().withNewMetadata().withLabels(labels).endMetadata()
        .withNewSpec().addNewContainer().withName("a").withImage("x:1").endContainer().endSpec().endTemplate()
        .endSpec().build()).create();
    client.apps().deployments().inNamespace(namespace).withName("patched").patch(
        PatchContext.of(PatchType.STRATEGIC_MERGE),
        "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"y:1\"}]}}}}");
    return line();
  }

  private Map<String, Object> apply() {
    for (int i = 0; i < 2; i++)
      client.resource(configMap("applied", null, Map.of("apply", "3"))).fieldManager(ME).forceConflicts().serverSideApply();
    return line();
  }

  private Map<String, Object> evict() {
    Pod pod = new PodBuilder().withNewMetadata().withName("evicted").withNamespace(namespace).endMetadata()
        .withNewSpec().withTerminationGracePeriodSeconds(0L)
        .addNewContainer().withName("main").withImage("registry.k8s.io/pause:3.10").endContainer().endSpec().build();
    client.resource(pod).create();
    var evicted = client.pods().inNamespace(namespace).withName("evicted");
    // Both waits are informers of this client.
    evicted.waitUntilCondition(found -> found != null && "Running".equals(found.getStatus().getPhase()), STEP_SECONDS, TimeUnit.SECONDS);
    if (!evicted.evict()) throw new IllegalStateException("the eviction was refused");
    evicted.waitUntilCondition(found -> found == null, STEP_SECONDS, TimeUnit.SECONDS);
    return line();
  }

  private Map<String, Object> lease() throws Exception {
    CountDownLatch elected = new CountDownLatch(1);
    var election = client.leaderElector().withConfig(new LeaderElectionConfigBuilder().withName("leader")
        .withLeaseDuration(Duration.ofSeconds(15)).withRenewDeadline(Duration.ofSeconds(10))
        .withRetryPeriod(Duration.ofSeconds(1)).withLock(new LeaseLock(namespace, "leader", ME))
        .withLeaderCallbacks(new LeaderCallbacks(elected::countDown, () -> {}, leader -> {})).build()).build().start();
    if (!elected.await(STEP_SECONDS, TimeUnit.SECONDS)) throw new IllegalStateException("nobody was elected");
    var leases = client.leases().inNamespace(namespace).withName("leader");
    Lease stale = leases.get();
    leases.waitUntilCondition(
        now -> !now.getMetadata().getResourceVersion().equals(stale.getMetadata().getResourceVersion()),
        STEP_SECONDS, TimeUnit.SECONDS);
    election.cancel(true);
    try {
      client.resource(stale).update();
      return line("conflict", 200);
    } catch (KubernetesClientException refused) {
      // A leader that is cancelled lets its lease go: the cluster is to show who held it.
      for (;;) {
        try {
          leases.edit(now -> { now.getSpec().setHolderIdentity(ME); return now; });
          return line("conflict", refused.getCode());
        } catch (KubernetesClientException raced) {
          if (raced.getCode() != 409) throw raced;
        }
      }
    }
  }

  private Map<String, Object> deleteCollection() {
    client.configMaps().inNamespace(namespace).withLabel("page", "yes").delete();
    return line();
  }

  private void tell(String event, ConfigMap object) {
    say(line("event", event, "name", object.getMetadata().getName(), "version", object.getMetadata().getResourceVersion()));
  }

  private void inform() throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    var informer = client.configMaps().inNamespace(namespace).withLabel("ledger", "yes").inform(new ResourceEventHandler<>() {
      @Override
      public void onAdd(ConfigMap object) {
        tell("add", object);
        if (object.getMetadata().getName().equals("end")) ended.countDown();
      }

      @Override
      public void onUpdate(ConfigMap before, ConfigMap object) {
        tell("update", object);
      }

      @Override
      public void onDelete(ConfigMap object, boolean finalStateUnknown) {
        tell("delete", object);
      }
    });
    ended.await();
    Map<String, Object> cache = new LinkedHashMap<>();
    informer.getStore().list().forEach(held -> cache.put(held.getMetadata().getName(), held.getMetadata().getResourceVersion()));
    say(line("cache", cache));
    informer.close();
  }

  private void step(String name, Step step) throws Exception {
    Map<String, Object> said = new LinkedHashMap<>(step.run());
    said.put("step", name);
    say(said);
  }

  public static void main(String[] arguments) throws Exception {
    // Time for a busy machine: a JVM loads a thousand classes for the first request.
    Config config = new ConfigBuilder(Config.autoConfigure(null)).withRequestTimeout(60_000).withConnectionTimeout(60_000).build();
    try (KubernetesClient client = new KubernetesClientBuilder().withConfig(config).build()) {
      Main program = new Main(client, arguments[0]);
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
      System.exit(1);
    }
    System.exit(0);
  }
}
