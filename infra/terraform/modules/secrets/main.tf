# Places for secrets, without the secrets: `secret://<name>#<key>` in the settings names them.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: They are other systems' (a webhook, a database, MLflow's users), which no function of ours can renew.
  for_each = var.names

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}
