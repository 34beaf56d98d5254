"""One mistake after the other that a person might make in the manifests, and by what it is found."""

from tests.kuberay.changes import Mistake, add, both, drop, put, serve
from tests.kuberay.network_mistakes import NETWORK

_HEAD = "RayService/wallets spec rayClusterConfig headGroupSpec"
_WORKERS = "RayService/wallets spec rayClusterConfig workerGroupSpecs 0"
_POD = f"{_WORKERS} template spec"
_RAY = f"{_POD} containers 0"
_PROBE = f"{_RAY} readinessProbe"
_SIGNER = "RayService/wallets spec rayClusterConfig workerGroupSpecs 1 template spec containers 0"
_CLUSTER = "RayService/wallets spec rayClusterConfig"
_SERVE = "applications 0 deployments 0"
_OTHER_IMAGE = f"registry.example.com/crypto-wallets-service@sha256:{'1' * 64}"
_SETTINGS = "ConfigMap/wallets-ray-settings data"
_CUSTODY = "ConfigMap/wallets-custody-settings data"
_DATABASE_VARIABLE = {"name": "APP__DATABASE__URL", "valueFrom": {"secretKeyRef": {"name": "wallets-database-url", "key": "url"}}}
_DATABASE_VOLUME = {"name": "more", "secret": {"secretName": "wallets-database-url"}}

MISTAKES = (
    *NETWORK,
    # The RayService and its cluster.
    Mistake("a name too long", "names", "shorten it to 47", put("RayService/wallets metadata name", "w" * 48)),
    Mistake("another version of Ray", "names", "the image has Ray", put(f"{_CLUSTER} rayVersion", "2.9.0")),
    Mistake(
        "incremental upgrades",
        "upgrade",
        "has no gRPC",
        put("RayService/wallets spec upgradeStrategy type", "NewClusterWithIncrementalUpgrade"),
    ),
    Mistake("no upgrade strategy", "upgrade", "write NewCluster", drop("RayService/wallets spec upgradeStrategy")),
    Mistake("a threshold of long ago", "upgrade", "leave it out", put("RayService/wallets spec serviceUnhealthySecondThreshold", 300)),
    Mistake("the old cluster goes too soon", "upgrade", "120 to 300", put("RayService/wallets spec rayClusterDeletionDelaySeconds", 30)),
    Mistake("the head is no endpoint", "upgrade", "without endpoints", put("RayService/wallets spec excludeHeadPodFromServeSvc", True)),
    Mistake("a head with cores", "head", 'num-cpus: "0"', put(f"{_HEAD} rayStartParams num-cpus", "1")),
    Mistake("an object store by default", "head", "object-store-memory", drop(f"{_WORKERS} rayStartParams object-store-memory")),
    Mistake("no autoscaler", "autoscaler", "turn it on", drop(f"{_CLUSTER} enableInTreeAutoscaling")),
    Mistake("the old autoscaler", "autoscaler", "v2", put(f"{_CLUSTER} autoscalerOptions version", "v1")),
    Mistake("an autoscaler that cannot write", "autoscaler", "/tmp", put(f"{_CLUSTER} autoscalerOptions volumeMounts", [])),
    Mistake("no token", "authentication", "without a token", drop(f"{_CLUSTER} authOptions")),
    Mistake(
        "a token that is not asked for",
        "authentication",
        "RAY_AUTH_MODE is set by the operator",
        put(f"{_RAY} env", [{"name": "RAY_AUTH_MODE", "value": "disabled"}]),
    ),
    Mistake("a token that settings turn off", "authentication", "RAY_AUTH_MODE", put(f"{_SETTINGS} RAY_AUTH_MODE", "disabled")),
    Mistake("a token without its secret", "authentication", "secretName", drop(f"{_CLUSTER} authOptions secretName")),
    Mistake("GCS that forgets", "fault tolerance", "name a Redis", drop(f"{_CLUSTER} gcsFaultToleranceOptions")),
    Mistake(
        "a password in the manifest",
        "fault tolerance",
        "must come from a Secret",
        put(f"{_CLUSTER} gcsFaultToleranceOptions redisPassword", {"value": "x"}),
    ),
    Mistake(
        "one state for two clusters",
        "fault tolerance",
        "share",
        put(f"{_CLUSTER} gcsFaultToleranceOptions externalStorageNamespace", "one"),
    ),
    Mistake(
        "the password twice",
        "fault tolerance",
        "REDIS_PASSWORD",
        put(f"{_HEAD} template spec containers 0 env", [{"name": "REDIS_PASSWORD", "value": ""}]),
    ),
    # Ports and shutdown.
    Mistake("a port that Serve does not open", "ports", "opens 3000", put(f"{_RAY} ports 0 containerPort", 8000)),
    Mistake("no port for gRPC on the head", "ports", "make them one", drop(f"{_HEAD} template spec containers 0 ports 6")),
    Mistake("Serve opens another", "ports", "opens 8000", serve("http_options port", 8000)),
    Mistake("a service on another port", "ports", "port 80", put("RayService/wallets spec serveService spec ports 0 port", 8080)),
    Mistake("a target by number", "ports", "as targetPort", put("RayService/wallets spec serveService spec ports 0 targetPort", 3000)),
    Mistake("gRPC that proxies do not know", "ports", "h2c", drop("RayService/wallets spec serveService spec ports 1 appProtocol")),
    Mistake("metrics elsewhere", "ports", "8080", put(f"{_RAY} ports 2 containerPort", 9090)),
    Mistake("no port of Serve", "ports", "write 3000", serve("http_options port", None)),
    Mistake("a port of gRPC that pods have not", "ports", "opens 3002", serve("grpc_options port", 3002)),
    # Probes.
    Mistake("ready at once", "probes", "must run bash", drop(f"{_RAY} readinessProbe")),
    Mistake("ready without Vault", "probes", "http://localhost:3000/api/v1/health/ready", put(f"{_PROBE} exec command 2", "true")),
    Mistake("another port asked", "probes", "http://localhost:8000/-/healthz", serve("http_options port", 8000)),
    Mistake(
        "a head of our own readiness", "probes", "when the head is ready", put(f"{_HEAD} template spec containers 0 readinessProbe", {})
    ),
    Mistake("alive only with Vault", "probes", "leave livenessProbe", put(f"{_RAY} livenessProbe", {"httpGet": {"path": "/ready"}})),
    Mistake("a start that is asked for", "probes", "leave startupProbe", put(f"{_RAY} startupProbe", {"httpGet": {"path": "/ready"}})),
    Mistake("ready once in a while", "probes", "periodSeconds 5", put(f"{_PROBE} periodSeconds", 60)),
    Mistake("signers that ask the service", "probes", "raylet_healthz | grep success'", drop(f"{_SIGNER} readinessProbe"), "isolated"),
    Mistake("too little grace", "shutdown", "at least preStop + drain", put(f"{_POD} terminationGracePeriodSeconds", 35)),
    Mistake("ray stop", "shutdown", "nothing else", put(f"{_RAY} lifecycle preStop exec command", ["ray", "stop"])),
    Mistake("no pause", "shutdown", "preStop", drop(f"{_RAY} lifecycle")),
    Mistake("a drain too short", "shutdown", "30 s more", put(f"{_SETTINGS} RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "15")),
    # Room.
    Mistake("more at least than at most", "room", "minReplicas <= replicas", put(f"{_WORKERS} minReplicas", 20)),
    Mistake("no bound above", "room", "maxReplicas must hold", put(f"{_WORKERS} maxReplicas", 2147483647)),
    Mistake("no place for one more", "room", "give one more", both(put(f"{_WORKERS} minReplicas", 2), put(f"{_WORKERS} replicas", 2))),
    Mistake("no place for all", "room", "10 places for 10", put(f"{_WORKERS} maxReplicas", 10)),
    Mistake("old replicas go first", "room", "max_surge_percent", serve(f"{_SERVE} max_surge_percent", 0)),
    Mistake("nowhere to be", "room", "0 places", serve(f"{_SERVE} ray_actor_options", {"num_cpus": 1, "resources": {"signer": 1}})),
    # Serve.
    Mistake("a key misspelt", "serve config", "knows no max_ongoing_request ", serve(f"{_SERVE} max_ongoing_request", 1)),
    Mistake("a key of the scaling misspelt", "serve config", "knows no min_replica ", serve(f"{_SERVE} autoscaling_config min_replica", 1)),
    Mistake("a value of another type", "serve config", "http_options.port", serve("http_options port", "http")),
    Mistake(
        "more replicas at least than at most", "serve config", "refused by Serve", serve(f"{_SERVE} autoscaling_config min_replicas", 11)
    ),
    Mistake("no scaling", "serve config", "one replica", serve(f"{_SERVE} autoscaling_config", None)),
    Mistake("requests alone", "serve config", "memory as well", serve(f"{_SERVE} autoscaling_config policy", None)),
    Mistake("down by the mean", "serve config", "maximum", serve(f"{_SERVE} autoscaling_config aggregation_function", "mean")),
    Mistake("up after a while", "serve config", "load does not wait", serve(f"{_SERVE} autoscaling_config upscale_delay_s", 60)),
    Mistake("a target out of reach", "serve config", "nothing is ever", serve(f"{_SERVE} autoscaling_config target_ongoing_requests", 40)),
    Mistake("a proxy on the head alone", "serve config", "EveryNode", serve("proxy_location", "HeadOnly")),
    Mistake("on loopback", "serve config", "from elsewhere", serve("http_options host", "127.0.0.1")),
    Mistake("arguments", "serve config", "control plane", serve("applications 0 args", {"api_key": "x"})),
    Mistake("a secret for Serve", "serve config", "user_config is kept", serve(f"{_SERVE} user_config", {"api_key": "x"})),
    Mistake(
        "a secret for Ray",
        "serve config",
        "runtime_env is kept",
        serve(f"{_SERVE} ray_actor_options runtime_env", {"env_vars": {"APP__SERVER__API_KEY": "x"}}),
    ),
    Mistake("another application", "serve config", "build_app", serve("applications 0 import_path", "serve_app.app:app")),
    Mistake("a second application", "serve config", "one application", serve("applications", [{"name": "a", "import_path": "a:b"}] * 2)),
    Mistake("one topology told, another served", "topology", "make them fit", put(f"{_SETTINGS} APP__TOPOLOGY", "isolated")),
    Mistake(
        "Vault at the gateways",
        "topology",
        "only signers",
        put(f"{_RAY} env", [{"name": "APP__VAULT__ADDRESS", "value": "https://vault"}]),
        overlay="isolated",
    ),
    Mistake(
        "a login to Vault at the gateways",
        "topology",
        "only signers",
        add(f"{_POD} volumes 1 projected sources", {"serviceAccountToken": {"audience": "vault", "path": "vault-token"}}),
        overlay="isolated",
    ),
    # Pods.
    Mistake("a mutable tag", "images", "name it by digest", put(f"{_RAY} image", "registry.example.com/crypto-wallets-service:2.0.0")),
    Mistake("no tag", "images", "name it by digest", put("Job/wallets spec template spec containers 0 image", "crypto-wallets-service")),
    Mistake("the latest one", "images", "name it by digest", put(f"{_RAY} image", "x:latest"), overlay="local"),
    Mistake("a job of another image", "images", "name one", put("Job/wallets spec template spec containers 0 image", _OTHER_IMAGE)),
    Mistake("a capability more", "restricted pods", "add none", put(f"{_RAY} securityContext capabilities add", ["SYS_PTRACE"])),
    Mistake("root in a container", "restricted pods", "runAsUser would", put(f"{_RAY} securityContext runAsUser", 0)),
    Mistake(
        "no seccomp in a container",
        "restricted pods",
        "seccompProfile would",
        put(f"{_RAY} securityContext seccompProfile", {"type": "Unconfined"}),
    ),
    Mistake("root", "restricted pods", "runAsNonRoot", put(f"{_POD} securityContext runAsUser", 0)),
    Mistake("no seccomp", "restricted pods", "RuntimeDefault", drop(f"{_POD} securityContext seccompProfile")),
    Mistake("the node's network", "restricted pods", "hostNetwork", put(f"{_POD} hostNetwork", True)),
    Mistake("a folder of the node", "restricted pods", "hostPath", put(f"{_POD} volumes 0", {"name": "tmp", "hostPath": {"path": "/tmp"}})),
    Mistake("more privileges", "restricted pods", "allowPrivilegeEscalation", drop(f"{_RAY} securityContext allowPrivilegeEscalation")),
    Mistake("capabilities", "restricted pods", "drop all", put(f"{_RAY} securityContext capabilities", {"drop": ["NET_RAW"]})),
    Mistake("a root to write to", "restricted pods", "readOnlyRoot", drop(f"{_RAY} securityContext readOnlyRootFilesystem")),
    Mistake("no folder to write to", "restricted pods", "mounted at /tmp", put(f"{_RAY} volumeMounts 0 mountPath", "/tmp/ray")),
    Mistake("a privileged autoscaler", "restricted pods", "the autoscaler", drop(f"{_CLUSTER} autoscalerOptions securityContext")),
    Mistake("an account that is not there", "service accounts", "add it", drop("ServiceAccount/wallets-custody")),
    Mistake("a token everywhere", "service accounts", "must be false", drop(f"{_POD} automountServiceAccountToken")),
    Mistake(
        "an account with a token", "service accounts", "wallets-head", put("ServiceAccount/wallets-head automountServiceAccountToken", True)
    ),
    Mistake("a secret that is not mounted", "secrets", "no Secret is mounted", drop(f"{_POD} volumes 1 projected sources 0")),
    Mistake(
        "a secret from a ConfigMap",
        "secrets",
        "from a Secret",
        put(
            f"{_POD} volumes 1 projected sources 0",
            {
                "configMap": {"name": "keys", "items": [{"key": "api-key", "path": "api-key"}]},
            },
        ),
    ),
    Mistake(
        "a secret in a value",
        "secrets",
        "APP__SERVER__API_KEY_FILE",
        put(f"{_RAY} env", [{"name": "APP__SERVER__API_KEY", "value": "x" * 16}]),
    ),
    Mistake("a replica without all", "settings", "without a key", put(f"{_RAY} envFrom", [])),
    Mistake("a setting misspelt", "settings", "did you mean", put(f"{_SETTINGS} APP__LOGS__LEVEL", "info")),
    Mistake(
        "a file's setting misspelt", "settings", "did you mean", put("ConfigMap/wallets-edge-settings data APP__SERVER__KEY_FILE", "/x")
    ),
    Mistake(
        "no Vault's TLS in production",
        "settings",
        "https",
        put("ConfigMap/wallets-custody-settings data APP__VAULT__ADDRESS", "http://vault:1"),
    ),
    Mistake("no gRPC", "serve config", "no port for gRPC", serve("grpc_options grpc_servicer_functions", [])),
    Mistake(
        "HAProxy sends another number", "topology", "max_ongoing_requests of", put(f"{_SETTINGS} APP__REPLICAS__MAX_ONGOING_REQUESTS", "64")
    ),
    Mistake("Serve's own proxy", "settings", "ENABLE_HA_PROXY", drop(f"{_SETTINGS} RAY_SERVE_ENABLE_HA_PROXY")),
    Mistake("calls that anybody may send", "settings", "GRPC_BY_DEFAULT", put(f"{_SETTINGS} RAY_SERVE_USE_GRPC_BY_DEFAULT", "1")),
    Mistake(
        "a ConfigMap that is not there", "references", "base/names.yaml", put(f"{_RAY} envFrom 0 configMapRef name", "wallets-ray-settings")
    ),
    Mistake("no limit of memory", "memory", "a limit", drop(f"{_RAY} resources limits memory")),
    Mistake("the old service's memory", "memory", "1024 MiB", put(f"{_RAY} resources requests memory", "128Mi")),
    Mistake("pods anywhere", "spread", "over zones", drop(f"{_POD} topologySpreadConstraints")),
    Mistake("two clusters counted as one", "spread", "ray.io/cluster", drop(f"{_POD} topologySpreadConstraints 0 matchLabelKeys")),
    Mistake(
        "others are spread", "spread", "does not select", put(f"{_POD} topologySpreadConstraints 0 labelSelector matchLabels", {"a": "b"})
    ),
    # What the service is told.
    Mistake(
        "no API key's file",
        "settings",
        "APP__SERVER__API_KEY: is not set; without a key the service refuses to start. Mount its Secret",
        both(
            put("ConfigMap/wallets-edge-settings data", {"APP__LOG__LEVEL": "info"}),
            drop(f"{_POD} volumes 1 projected sources 0"),
        ),
    ),
    Mistake(
        "no API key at the gateways",
        "settings",
        "without a key",
        drop("ConfigMap/wallets-edge-settings data APP__SERVER__API_KEY_FILE"),
        "isolated",
    ),
    Mistake("no database", "settings", "name the file by APP__DATABASE__URL_FILE", drop(f"{_CUSTODY} APP__DATABASE__URL_FILE")),
    Mistake("no database at the signers", "settings", "APP__DATABASE__URL: is", drop(f"{_CUSTODY} APP__DATABASE__URL_FILE"), "isolated"),
    Mistake("no URL of Redis", "settings", "APP__REDIS__URL: is", drop("ConfigMap/wallets-redis-settings data APP__REDIS__URL_FILE")),
    Mistake("no address of Vault", "settings", "Set it in a ConfigMap", drop(f"{_CUSTODY} APP__VAULT__ADDRESS")),
    Mistake("no role in Vault", "settings", "KUBERNETES_ROLE: is not set", drop(f"{_CUSTODY} APP__VAULT__KUBERNETES_ROLE")),
    Mistake("a check of no schema", "settings", "check-schema: APP__DATABASE__URL", put(f"{_HEAD} template spec initContainers 0 env", [])),
    Mistake(
        "a migration of nothing", "settings", "migrate: APP__DATABASE__URL", put("Job/wallets spec template spec containers 0 env", [])
    ),
    Mistake(
        "a secret that may be missing", "secrets", "take `optional` out", put(f"{_POD} volumes 1 projected sources 0 secret optional", True)
    ),
    Mistake(
        "a Secret's key misspelt",
        "secrets",
        "makes the key api-key of wallets-api-key",
        put(f"{_POD} volumes 1 projected sources 0 secret items 0 key", "apikey"),
    ),
    Mistake(
        "one Secret for another",
        "secrets",
        "wallets-redis-url",
        put(f"{_POD} volumes 1 projected sources 1 secret name", "wallets-database-url"),
    ),
    Mistake("a secret in the environment", "secrets", "every process inherits", put(f"{_RAY} env", [_DATABASE_VARIABLE])),
    Mistake(
        "all of a Secret in the environment", "secrets", "inherits", add(f"{_RAY} envFrom", {"secretRef": {"name": "wallets-api-key"}})
    ),
    Mistake("a plain volume", "secrets", "by `projected`", add(f"{_POD} volumes", _DATABASE_VOLUME)),
    Mistake(
        "a variable of a ConfigMap that is not there",
        "references",
        "no ConfigMap x",
        put(f"{_RAY} env", [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "a"}}}]),
    ),
    # Who has the keys.
    Mistake("gateways that Vault knows", "topology", "who may decrypt", put(f"{_POD} serviceAccountName", "wallets-custody"), "isolated"),
    Mistake(
        "a migration that Vault knows",
        "topology",
        "who may decrypt",
        put("Job/wallets spec template spec serviceAccountName", "wallets-custody"),
    ),
    Mistake(
        "a login to Vault under another name",
        "topology",
        "a token for the audience vault",
        add(f"{_POD} volumes 1 projected sources", {"serviceAccountToken": {"audience": "vault", "path": "session"}}),
        "isolated",
    ),
    Mistake(
        "a token of the API server",
        "topology",
        "of the API server",
        add(f"{_POD} volumes 1 projected sources", {"serviceAccountToken": {"path": "a"}}),
        "isolated",
    ),
    Mistake(
        "the database in a volume of its own",
        "topology",
        "the Secret wallets-database-url",
        add(f"{_POD} volumes", _DATABASE_VOLUME),
        "isolated",
    ),
    Mistake(
        "the database in a variable", "topology", "the Secret wallets-database-url", put(f"{_RAY} env", [_DATABASE_VARIABLE]), "isolated"
    ),
    Mistake(
        "the database at the head",
        "topology",
        "in its container ray-head",
        add(f"{_HEAD} template spec containers 0 volumeMounts", {"name": "secrets", "mountPath": "/secrets"}),
    ),
    Mistake(
        "the database at the autoscaler",
        "topology",
        "in its container autoscaler",
        add(f"{_CLUSTER} autoscalerOptions volumeMounts", {"name": "secrets", "mountPath": "/secrets"}),
    ),
    Mistake("a head that Vault knows", "topology", "who may decrypt", put(f"{_HEAD} template spec serviceAccountName", "wallets-custody")),
    # What stands beside.
    Mistake("a share of pods", "budgets", "whole number", put("PodDisruptionBudget/wallets-workers spec minAvailable", "50%")),
    Mistake(
        "a group that is not there",
        "budgets",
        "not there",
        put("PodDisruptionBudget/wallets-workers spec selector matchLabels ray.io/group", "x"),
    ),
    Mistake(
        "a budget of other pods",
        "budgets",
        "by labels that it has not",
        put("PodDisruptionBudget/wallets-workers spec selector matchLabels app.kubernetes.io/name", "wallets"),
    ),
    Mistake("a drain that never ends", "budgets", "write 1, one less", put("PodDisruptionBudget/wallets-workers spec minAvailable", 2)),
    Mistake("a budget of nothing", "budgets", "write 1, one less", put("PodDisruptionBudget/wallets-workers spec minAvailable", 0)),
    Mistake("fewer kept than more replicas", "budgets", "write 4, one less", serve(f"{_SERVE} autoscaling_config min_replicas", 5)),
    Mistake("the only replica", "budgets", "2 at least", serve(f"{_SERVE} autoscaling_config min_replicas", 1)),
    Mistake(
        "a drain of all signers", "budgets", "write 2, one", put("PodDisruptionBudget/wallets-signers spec minAvailable", 0), "isolated"
    ),
    Mistake(
        "gateways that are never drained",
        "budgets",
        "write 1, one",
        put("PodDisruptionBudget/wallets-workers spec minAvailable", 2),
        "isolated",
    ),
    Mistake("a head that is drained", "budgets", "by hand alone", put("PodDisruptionBudget/wallets-head spec minAvailable", 0)),
    Mistake("no budget", "budgets", "has no PodDisruptionBudget", drop("PodDisruptionBudget/wallets-workers")),
    Mistake("a job of the last release", "migration", "has its own", put("Job/wallets metadata name", "wallets-migrate-1-0-8")),
    Mistake("a job without end", "migration", "waits for ever", drop("Job/wallets spec activeDeadlineSeconds")),
    Mistake(
        "the head migrates",
        "migration",
        "changes nothing",
        put(f"{_HEAD} template spec initContainers 0 command", ["crypto-wallets", "migrate"]),
    ),
    Mistake(
        "a port without a name", "monitoring", "no pod has a port", put("PodMonitor/wallets-ray spec podMetricsEndpoints 0 port", "http")
    ),
    Mistake(
        "a metric that there is not",
        "monitoring",
        "no metric",
        put("PrometheusRule/wallets spec groups 0 rules 0 expr", "sum(wallets_lost{a='b'})"),
    ),
    Mistake("an alert on a job that there is not", "monitoring", "no PodMonitor makes job=", drop("PodMonitor/wallets spec jobLabel")),
    Mistake(
        "an alert on another port",
        "monitoring",
        "makes endpoint=http",
        put("PrometheusRule/wallets spec groups 0 rules 0 expr", 'absent(up{job="crypto-wallets-service",endpoint="http"} == 1)'),
    ),
    Mistake("an alarm that nobody hears", "monitoring", "no alert looks at", put("PrometheusRule/wallets spec groups 0 rules", [])),
    Mistake(
        "gRPC that nobody looks at",
        "monitoring",
        "not at the same of gRPC",
        put("PrometheusRule/wallets spec groups 0 rules 1 expr", "sum(rate(http_requests_total{status=~'5..'}[5m])) > 1"),
    ),
    Mistake("more replicas than may run", "monitoring", "never raised", serve(f"{_SERVE} autoscaling_config max_replicas", 4)),
    Mistake("a signer that nobody asks", "monitoring", "come to nobody", drop("PodMonitor/wallets-signers"), "isolated"),
    Mistake(
        "a signer that is asked on another port",
        "monitoring",
        "signers are asked on another port",
        put(f"{_SIGNER} ports 1 containerPort", 30001),
        "isolated",
    ),
    Mistake(
        "two signers in a pod", "topology", "second signer", serve("applications 0 deployments 1 max_replicas_per_node", 2), "isolated"
    ),
    Mistake("an open parenthesis", "monitoring", "parentheses", put("PrometheusRule/wallets spec groups 0 rules 0 expr", "sum(up")),
)
