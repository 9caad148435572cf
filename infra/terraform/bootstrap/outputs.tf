output "backend" {
  description = "The text of backend.hcl, for each environment and for this root itself."
  value       = <<-EOT
    bucket     = "${aws_s3_bucket.state.id}"
    region     = "${var.region}"
    kms_key_id = "${aws_kms_key.state.arn}"
  EOT
}

output "repository_url" {
  description = "Where images are pushed to."
  value       = module.registry.repository_url
}

output "terraform_role_arns" {
  description = "Who applies, by environment."
  value       = { for environment, role in aws_iam_role.terraform : environment => role.arn }
}

output "github_role_arns" {
  description = "The roles of GitHub's workflows: release, promote."
  value       = { for name, role in aws_iam_role.github : name => role.arn }
}
