output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "The subnets of jobs and of Airflow, one a zone, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "jobs_security_group_id" {
  description = "The security group of drivers and executors."
  value       = aws_security_group.jobs.id
}

output "airflow_security_group_id" {
  description = "The security group of Airflow."
  value       = aws_security_group.airflow.id
}
