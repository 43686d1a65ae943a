# The rest of the deployment: 10 stores and 14 groups of services, some 350 objects in 24 releases. The charts are the sandbox's, of the
# shape that the suite's own have; yours take their place.

variable "store_password" {
  description = "The password of all stores."
  type        = string
  sensitive   = true
  default     = "change-me-before-use"
}

helm_release "store" {
  for_each   = local.stores
  chart      = "cx-store"
  repository = var.charts.repository
  version    = "1.0.0"
  name       = each.key
  namespace  = "expertflow"
  values     = { port = each.value.port, size = each.value.size, settings = each.value.settings, password = var.store_password }
  depends_on = [storage.nfs]
}

helm_release "suite" {
  for_each   = local.suites
  chart      = "cx-suite"
  repository = var.charts.repository
  version    = "1.0.0"
  name       = each.key
  namespace  = "expertflow"
  values = {
    global     = { ingressRouter = "cx.example.com" }
    components = { for name in each.value.services : name => { path = name, settings = { LOG_LEVEL = local.log_level } } }
    uploads    = each.value.uploads
    password   = var.store_password
    settings   = { mongodb = "mongodb:27017", redis = "redis:6379", broker = "activemq:61616" }
  }
  depends_on = [ingress.nginx, helm_release.store]
}

locals {
  log_level = "info"

  stores = {
    redis         = { port = 6379, size = "1Gi", settings = { appendonly = "yes" } }
    mongodb       = { port = 27017, size = "8Gi", settings = {} }
    postgresql    = { port = 5432, size = "8Gi", settings = { max_connections = "500" } }
    minio         = { port = 9000, size = "8Gi", settings = {} }
    activemq      = { port = 61616, size = "2Gi", settings = {} }
    keycloak      = { port = 8080, size = "1Gi", settings = {} }
    apisix        = { port = 9080, size = "1Gi", settings = {} }
    vault         = { port = 8200, size = "1Gi", settings = {} }
    elasticsearch = { port = 9200, size = "8Gi", settings = {} }
    clamav        = { port = 3310, size = "2Gi", settings = {} }
  }

  suites = {
    core = {
      uploads = "2Gi"
      services = [
        "agent-manager", "bot-framework", "business-calendar", "ccm", "cim-customer", "conversation-manager", "conversation-monitor",
        "conversation-studio", "customer-widget", "cx-tenant", "file-engine", "historical-reports", "license-manager", "otp-manager",
        "realtime-reports", "routing-engine", "state-events-logger", "team-announcement", "unified-admin", "web-channel-manager",
      ]
    }
    channels = {
      uploads  = ""
      services = ["connect360", "email-connector", "facebook-connector", "smpp-connector", "telegram-connector", "viber-connector", "whatsapp-connector"]
    }
    agent-desk      = { uploads = "", services = ["unified-agent"] }
    campaigns       = { uploads = "", services = ["campaign-studio", "campaigns-backend", "scheduled-activities"] }
    quality         = { uploads = "1Gi", services = ["qm-backend", "qm-frontend"] }
    surveys         = { uploads = "", services = ["survey-backend", "survey-studio"] }
    reporting       = { uploads = "", services = ["reporting-connector"] }
    superset        = { uploads = "", services = ["superset"] }
    metabase        = { uploads = "", services = ["metabase"] }
    eleveo          = { uploads = "", services = ["eleveo-api", "eleveo-runner"] }
    cisco-sync      = { uploads = "", services = ["cisco-sync-service"] }
    cisco-scheduler = { uploads = "", services = ["cisco-scheduler"] }
    transflux       = { uploads = "", services = ["transflux"] }
    middleware      = { uploads = "", services = ["eleveo-middleware"] }
  }
}
